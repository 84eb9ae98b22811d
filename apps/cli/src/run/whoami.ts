import type { WhoView } from "../api/access.ts";
import { paths } from "../api/paths.ts";
import type { Invocation } from "../invocation.ts";
import { renderFields } from "../output/table.ts";

/** `metanode whoami` */
export async function run(invocation: Invocation): Promise<void> {
  const { token } = await invocation.settings();
  const client = await invocation.client();
  const view = await client.json<WhoView>({ path: paths.whoami });
  await invocation.output.show(view, () =>
    renderFields([
      ["name", view.name],
      ["role", view.role],
      ["node", client.connection.url.origin],
      ["token from", token.source],
    ]),
  );
}
