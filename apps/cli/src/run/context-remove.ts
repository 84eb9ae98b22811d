import { contextOf, readContexts, writeContexts } from "../contexts.ts";
import type { Invocation } from "../invocation.ts";

/** `metanode context rm` */
export async function run(invocation: Invocation): Promise<void> {
  const name = invocation.arg(0);
  const { current, contexts } = await readContexts();
  contextOf({ contexts }, name);
  const { [name]: _removed, ...left } = contexts;
  await writeContexts({ ...(current === undefined || current === name ? {} : { current }), contexts: left });
  invocation.output.talk(`context ${name} is forgotten${current === name ? ", and none is current" : ""}`);
}
