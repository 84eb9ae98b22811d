import { contextOf, readContexts, writeContexts } from "../contexts.ts";
import type { Invocation } from "../invocation.ts";

/** `metanode context use` */
export async function run(invocation: Invocation): Promise<void> {
  const name = invocation.arg(0);
  const contexts = await readContexts();
  contextOf(contexts, name);
  await writeContexts({ ...contexts, current: name });
  invocation.output.talk(`context ${name} is the current one`);
}
