import { paths } from "../api/paths.ts";
import type { AdoptedView, NodeTokensView, NodeTokenView, TreeAuditView } from "../api/tree.ts";
import type { Invocation } from "../invocation.ts";

/** `metanode join token` */
export async function token(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const purpose = invocation.text("purpose") ?? "join";
  const [ttlMs, uses, under] = [invocation.number("ttl"), invocation.number("uses"), invocation.text("under")];
  const body = {
    purpose,
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(uses === undefined ? {} : { uses }),
    ...(under === undefined ? {} : { under }),
  };
  const client = await invocation.client();
  const view = await client.json<NodeTokenView>({ method: "POST", path: paths.nodeTokens, body });
  if (output.format === "table") {
    const use = purpose === "join" ? "metanode agent --token …" : "metanode adopt …";
    output.talk(`until ${view.expiresAt}, for \`${use}\`; keep it, nobody can show it again`);
  }
  await output.show(view, () => view.text);
}

/** `metanode join ls` */
export async function list(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const view = await client.json<NodeTokensView>({ path: paths.nodeTokens, query: { under: invocation.text("under") } });
  await output.show(view, () =>
    output.table(
      view.items,
      [
        { title: "ID", value: (row) => row.id },
        { title: "PURPOSE", value: (row) => row.purpose },
        { title: "EXPIRES", value: (row) => row.expiresAt },
        { title: "USED", value: (row) => `${row.usedBy.length} of ${row.uses}`, align: "right" },
      ],
      "no tokens; `metanode join token` makes one",
    ),
  );
}

/** `metanode join revoke` */
export async function revoke(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  const query = { under: invocation.text("under") };
  await client.json({ method: "DELETE", path: paths.nodeToken(invocation.arg(0)), query });
  invocation.output.talk("nobody comes with that token any more");
}

/** `metanode join approve` */
export async function approve(invocation: Invocation): Promise<void> {
  const as = invocation.text("as");
  const client = await invocation.client();
  const body = { node: invocation.arg(0), ...(as === undefined ? {} : { as }) };
  const view = await client.json<AdoptedView>({ method: "POST", path: paths.treeAction("approve"), body });
  await invocation.output.show(view, () => `${view.path} is managed, in epoch ${view.epoch}`);
}

/** `metanode join ask` */
export async function ask(invocation: Invocation): Promise<void> {
  const given = invocation.arg(0);
  const client = await invocation.client();
  const body = given.startsWith("mnt1.") ? { token: given } : { address: given };
  const view = await client.json<{ state: string }>({ method: "POST", path: paths.treeAction("join"), body });
  await invocation.output.show(view, () => `the node asks; it is ${view.state}`);
}

/** `metanode join audit` */
export async function audit(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const query = { limit: invocation.number("limit"), under: invocation.text("under") };
  const view = await client.json<TreeAuditView>({ path: paths.treeAction("audit"), query });
  await output.show(view, () =>
    output.table(
      view.items,
      [
        { title: "AT", value: (row) => row.at },
        { title: "WHO", value: (row) => row.caller },
        { title: "WHAT", value: (row) => row.verb },
        { title: "TARGET", value: (row) => row.target },
        { title: "RESULT", value: (row) => (row.ok === undefined ? "runs" : row.ok ? "ok" : (row.code ?? "not met")) },
      ],
      "nothing was done during the last day",
    ),
  );
}
