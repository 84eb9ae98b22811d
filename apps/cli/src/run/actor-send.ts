import { actorPath } from "../api/actors.ts";
import { parseJson, readInput } from "../data.ts";
import type { Invocation } from "../invocation.ts";

/** `metanode actor send` */
export async function run(invocation: Invocation): Promise<void> {
  const typed = invocation.arg(0);
  const message = parseJson(await readInput(invocation.arg(1)), "the message");
  const client = await invocation.client();
  const body = { message, priority: invocation.text("priority") };
  await client.json({ method: "POST", path: actorPath(typed, "send"), body });
  invocation.output.talk(`the message is in the mailbox of ${typed}`);
}
