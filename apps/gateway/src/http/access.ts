import { z } from "zod";
import type { KeptEntry } from "../access/audit.ts";
import { type Identity, ROLES } from "../access/roles.ts";
import type { TokenInfo } from "../access/tokens.ts";
import type { Api, HttpContext } from "./context.ts";
import { Cursor, numberIn } from "./cursor.ts";
import { answer, nothing, problems } from "./responses.ts";

const tags = ["access"];
const RoleName = z.enum(ROLES);
const TokenName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._@-]{0,62}$/)
  .describe("Whose it is: lower-case letters, digits, `.`, `_`, `@` and `-`, at most 63.");

const TokenView = z
  .object({
    name: z.string(),
    role: RoleName,
    createdAt: z.string(),
    expiresAt: z.string().optional(),
    lastUsedAt: z.string().optional().describe("To the minute."),
  })
  .meta({ id: "Token", description: "A token, without its text, which nobody has but its owner" });

const AuditView = z
  .object({
    sequence: z.int(),
    at: z.string(),
    name: z.string().describe("Whose token it was; `(nobody)` where it was none of this node."),
    role: z.string(),
    operation: z.string().describe("The operation's id in this document."),
    method: z.string(),
    path: z.string(),
    status: z.int(),
    code: z.string().optional().describe("The error's code; absent where it was done."),
    reason: z.string().optional().describe("What was said in the header `x-reason`."),
    requestId: z.string(),
  })
  .meta({ id: "AuditEntry", description: "A change of the node through this API, or an attempt at it" });

const NewToken = z.strictObject({
  name: TokenName,
  role: RoleName,
  expiresInMs: z.int().min(1_000).max(315_360_000_000).optional().describe("Without it the token lives until it is revoked."),
});

const AuditQuery = z.strictObject({
  name: z.string().optional(),
  operation: z.string().optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  cursor: Cursor,
});

/** Who may do what, and who has done what. */
export function accessRoutes(api: Api, { access }: HttpContext): void {
  const whoSchema = {
    operationId: "whoAmI",
    summary: "Whose token this is, and what its role is",
    tags,
    response: { 200: answer("Who asks", z.object({ name: z.string(), role: RoleName })), ...problems() },
  };
  api.get("/whoami", { schema: whoSchema }, async ({ identity }) => {
    // Whoever gets here has shown a token.
    const { name, role } = identity as Identity;
    return { name, role };
  });
  tokenRoutes(api, access.tokens);
  const auditSchema = {
    operationId: "listAudit",
    summary: "Who has changed what, the newest first",
    tags,
    querystring: AuditQuery,
    response: {
      200: answer(
        "One page",
        z.object({ items: z.array(AuditView), next: z.string().optional().describe("Absent on the last page.") }),
      ),
      ...problems("usage.invalid", "auth.denied"),
    },
  };
  api.get("/audit", { schema: auditSchema }, async ({ query: { name, operation, since, until, limit, cursor } }) => {
    const entries = access.audit.list({
      name,
      operation,
      sinceMs: timeOf(since),
      untilMs: timeOf(until),
      before: numberIn(cursor),
      limit,
    });
    const last = entries.length < limit ? undefined : entries.at(-1);
    return { items: entries.map(auditView), next: last?.sequence.toString() };
  });
}

function tokenRoutes(api: Api, tokens: HttpContext["access"]["tokens"]): void {
  const listSchema = {
    operationId: "listTokens",
    summary: "Who has a token, besides the owner of the node",
    tags,
    response: { 200: answer("By name", z.object({ items: z.array(TokenView) })), ...problems("auth.denied") },
  };
  api.get("/tokens", { schema: listSchema }, async () => ({ items: tokens.list().map(tokenView) }));
  const createSchema = {
    operationId: "createToken",
    summary: "Make a token for somebody; its text is in this answer and nowhere else",
    tags,
    body: NewToken,
    response: {
      201: answer("The token", TokenView.extend({ token: z.string() })),
      ...problems("usage.invalid", "message.invalid", "message.content_type", "auth.denied", "state.conflict"),
    },
  };
  api.post("/tokens", { schema: createSchema }, async ({ body: { name, role, expiresInMs } }, reply) => {
    const { info, token } = tokens.create(name, role, expiresInMs);
    return reply.code(201).send({ ...tokenView(info), token });
  });
  const revokeSchema = {
    operationId: "revokeToken",
    summary: "Refuse a token from now on",
    tags,
    params: z.object({ name: z.string() }),
    response: { 204: nothing("It is refused."), ...problems("auth.denied", "resource.not_found") },
  };
  api.delete("/tokens/:name", { schema: revokeSchema }, async ({ params }, reply) => {
    tokens.revoke(params.name);
    return reply.code(204).send();
  });
}

function tokenView({ name, role, createdMs, expiresMs, usedMs }: TokenInfo): z.infer<typeof TokenView> {
  return { name, role, createdAt: text(createdMs) as string, expiresAt: text(expiresMs), lastUsedAt: text(usedMs) };
}

function auditView({ atMs, ...entry }: KeptEntry): z.infer<typeof AuditView> {
  return { ...entry, at: text(atMs) as string };
}

function text(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

function timeOf(at: string | undefined): number | undefined {
  return at === undefined ? undefined : Date.parse(at);
}
