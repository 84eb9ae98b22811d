import { paths } from "../api/paths.ts";
import { confirm } from "../confirm.ts";
import type { Invocation } from "../invocation.ts";

/** `metanode dead-letter drop` */
export async function run(invocation: Invocation): Promise<void> {
  const id = invocation.arg(0);
  const client = await invocation.client();
  await confirm(invocation, `Forget dead letter ${id} for good?`);
  await client.json({ method: "DELETE", path: paths.deadLetter(id) });
  invocation.output.talk(`dead letter ${id} is dropped`);
}
