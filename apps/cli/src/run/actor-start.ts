import type { ApplicationView } from "../api/actors.ts";
import { paths } from "../api/paths.ts";
import { CHANGE_TIMEOUT_MS } from "../api/spec.ts";
import type { Invocation } from "../invocation.ts";
import { applicationTable } from "../output/actors.ts";

/** `metanode actor start` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const path = paths.application(invocation.arg(0), "start");
  const body = { mode: invocation.text("mode") };
  const view = await client.json<ApplicationView>({ method: "POST", path, body, timeoutMs: CHANGE_TIMEOUT_MS });
  await output.show(view, () => applicationTable(output, [view]));
}
