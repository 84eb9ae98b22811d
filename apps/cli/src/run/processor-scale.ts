import { coreError } from "@metanode/core/errors";
import { paths } from "../api/paths.ts";
import { CHANGE_TIMEOUT_MS } from "../api/spec.ts";
import type { ProcessorView } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";
import { processorDetails } from "../output/processors.ts";

/** `metanode processor scale` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const processes = Number(invocation.arg(1));
  if (!Number.isInteger(processes)) {
    throw coreError(
      "usage.invalid",
      `${JSON.stringify(invocation.arg(1))} is no number of processes, expected a whole number from 1 to 1024`,
    );
  }
  const client = await invocation.client();
  const path = paths.processor(invocation.arg(0), "scale");
  const view = await client.json<ProcessorView>({ method: "POST", path, body: { processes }, timeoutMs: CHANGE_TIMEOUT_MS });
  await output.show(view, () => processorDetails(output, view));
}
