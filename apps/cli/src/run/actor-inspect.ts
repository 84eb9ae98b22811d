import { actorPath } from "../api/actors.ts";
import type { Invocation } from "../invocation.ts";
import { renderFields } from "../output/table.ts";

/** `metanode actor inspect` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const { items } = await client.json<{ items: Readonly<Record<string, string>> }>({
    path: actorPath(invocation.arg(0), "inspect"),
    query: { item: invocation.words(1) },
  });
  const fields = Object.entries(items);
  await output.show(items, () => (fields.length === 0 ? "it tells nothing" : renderFields(fields)));
}
