import { paths } from "../api/paths.ts";
import { CHANGE_TIMEOUT_MS } from "../api/spec.ts";
import type { Invocation } from "../invocation.ts";

/** `metanode processor remove` */
export async function run(invocation: Invocation): Promise<void> {
  const name = invocation.arg(0);
  const client = await invocation.client();
  await client.json({ method: "DELETE", path: paths.processor(name), timeoutMs: CHANGE_TIMEOUT_MS });
  invocation.output.talk(`processor ${name} is removed`);
}
