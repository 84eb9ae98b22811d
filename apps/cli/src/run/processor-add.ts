import { paths } from "../api/paths.ts";
import { CHANGE_TIMEOUT_MS, specOf } from "../api/spec.ts";
import type { ProcessorView } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";
import { processorDetails } from "../output/processors.ts";

/** `metanode processor add` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const body = { name: invocation.arg(0), ...specOf(invocation, client.connection.url) };
  const view = await client.json<ProcessorView>({ method: "POST", path: paths.processors, body, timeoutMs: CHANGE_TIMEOUT_MS });
  await output.show(view, () => processorDetails(output, view));
}
