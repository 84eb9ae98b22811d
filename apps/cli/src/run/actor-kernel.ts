import type { KernelView } from "../api/actors.ts";
import { paths } from "../api/paths.ts";
import type { Invocation } from "../invocation.ts";
import { kernelDetails } from "../output/actors.ts";

/** `metanode actor kernel` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const view = await client.json<KernelView>({ path: paths.actorKernel });
  await output.show(view, () => kernelDetails(output, view));
}
