import { actorPath } from "../api/actors.ts";
import type { Invocation } from "../invocation.ts";

/** `metanode actor exit` */
export async function run(invocation: Invocation): Promise<void> {
  const typed = invocation.arg(0);
  const client = await invocation.client();
  await client.json({ method: "POST", path: actorPath(typed, "exit"), body: { reason: invocation.text("reason") } });
  invocation.output.talk(`${typed} is asked to end`);
}
