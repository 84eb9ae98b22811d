import type { Invocation } from "../invocation.ts";
import { VERSION } from "../version.ts";

/** `metanode version` */
export async function run({ output }: Invocation): Promise<void> {
  const value = { version: VERSION, node: process.versions.node, platform: `${process.platform}-${process.arch}` };
  await output.show(value, () => `metanode ${value.version} (Node ${value.node}, ${value.platform})`);
}
