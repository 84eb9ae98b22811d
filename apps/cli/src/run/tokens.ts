import { coreError } from "@metanode/core/errors";
import type { NewTokenView, TokenView } from "../api/access.ts";
import { paths } from "../api/paths.ts";
import type { Items } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";

/** `metanode token create` */
export async function create(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const role = invocation.text("role");
  if (role === undefined) throw coreError("usage.invalid", "a token needs a role; say --role viewer, operator or admin");
  const expiresInMs = invocation.number("expires");
  const body = { name: invocation.arg(0), role, ...(expiresInMs === undefined ? {} : { expiresInMs }) };
  const client = await invocation.client();
  const view = await client.json<NewTokenView>({ path: paths.tokens, method: "POST", body });
  if (output.format === "table") {
    const end = view.expiresAt === undefined ? "until it is revoked" : `until ${view.expiresAt}`;
    output.talk(`the token of ${view.name}, ${view.role} ${end}; keep it, nobody can show it again`);
  }
  await output.show(view, () => view.token);
}

/** `metanode token ls` */
export async function list(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const answer = await client.json<Items<TokenView>>({ path: paths.tokens });
  await output.show(answer, () =>
    output.table(
      answer.items,
      [
        { title: "NAME", value: (row) => row.name },
        { title: "ROLE", value: (row) => row.role },
        { title: "CREATED", value: (row) => row.createdAt },
        { title: "EXPIRES", value: (row) => row.expiresAt ?? "never" },
        { title: "LAST USED", value: (row) => row.lastUsedAt ?? "never" },
      ],
      "no tokens besides the owner's; `metanode token create` makes one",
    ),
  );
}

/** `metanode token revoke` */
export async function revoke(invocation: Invocation): Promise<void> {
  const name = invocation.arg(0);
  const client = await invocation.client();
  await client.json({ path: paths.token(name), method: "DELETE" });
  invocation.output.talk(`the token of ${name} is refused from now on`);
}
