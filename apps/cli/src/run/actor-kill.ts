import { actorPath, onlyActor } from "../api/actors.ts";
import type { Invocation } from "../invocation.ts";

/** `metanode actor kill` */
export async function run(invocation: Invocation): Promise<void> {
  const typed = onlyActor(invocation.arg(0), "cannot be killed; `metanode actor exit` ends it");
  const client = await invocation.client();
  await client.json({ method: "POST", path: actorPath(typed, "kill") });
  invocation.output.talk(`${typed} is killed`);
}
