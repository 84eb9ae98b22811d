import type { ApplicationView } from "../api/actors.ts";
import { paths } from "../api/paths.ts";
import type { Items } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";
import { applicationTable } from "../output/actors.ts";

/** `metanode actor apps` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const answer = await client.json<Items<ApplicationView>>({ path: paths.applications });
  await output.show(answer, () => applicationTable(output, answer.items));
}
