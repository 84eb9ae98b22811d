import type { ApiClient } from "../api/client.ts";
import { paths } from "../api/paths.ts";
import type { Invocation } from "../invocation.ts";

/** What the node gets to answer, beyond what it may wait for itself. */
const MARGIN_MS = 60_000;

interface MaintainedView {
  readonly path?: string;
  readonly drained?: boolean;
  readonly node?: { readonly state: string };
  readonly members?: Readonly<Record<string, { readonly state: string }>>;
  /** Of several nodes. */
  readonly outcomes?: readonly { readonly path: string; readonly status: string; readonly message?: string }[];
}

/** `metanode maintain` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const path = invocation.arg(0);
  const client = await invocation.client();
  const waitMs = invocation.number("wait");
  const expiresInMs = invocation.number("expires");
  const [member, reason] = [invocation.text("member"), invocation.text("reason")];
  const body = {
    on: invocation.arg(1) === "on",
    ...(await entityOf(invocation, client, path)),
    ...(member === undefined ? {} : { member }),
    ...(reason === undefined ? {} : { reason }),
    ...(waitMs === undefined ? {} : { waitMs }),
    ...(expiresInMs === undefined ? {} : { expiresInMs }),
    ...(invocation.has("force") ? { force: true } : {}),
  };
  const timeoutMs = (waitMs ?? 0) + MARGIN_MS;
  const view = await client.json<MaintainedView>({ method: "POST", path: paths.treeAction("maintenance"), body, timeoutMs });
  await output.show(view, () => textOf(view, member));
}

async function entityOf(invocation: Invocation, client: ApiClient, path: string): Promise<object> {
  if (invocation.has("subtree")) return { subtree: path };
  if (!invocation.has("wholeHost")) return { node: path };
  const { node } = await client.json<{ node: { facts: Record<string, string> } }>({
    path: paths.treeAction("node"),
    query: { target: path },
  });
  return { host: node.facts.host };
}

function textOf({ path, node, members = {}, outcomes }: MaintainedView, member: string | undefined): string {
  if (outcomes !== undefined)
    return outcomes.map(({ path: one, status, message }) => `${one}  ${status}  ${message ?? ""}`.trimEnd()).join("\n");
  const what = member === undefined ? node : members[member];
  return `${path}${member === undefined ? "" : `#${member}`} is ${what?.state ?? "active"}`;
}
