import type { ActorErrorCode, Alias, Kernel, PID, Reason } from "@metanode/actors";
import { z } from "zod";
import type { Api } from "./context.ts";
import { toPlain } from "./plain.ts";
import { answer, nothing, problems } from "./responses.ts";

/** What a command is for: processes, or meta-processes. */
export interface Commanded {
  /** Below `/api/v1`, with a parameter `:actor`. */
  readonly path: string;
  /** In the names of operations: `Actor`. */
  readonly noun: string;
  /** In sentences. */
  readonly what: string;
  /** What the errors of this kind are. */
  readonly unknown: ActorErrorCode;
  readonly full: ActorErrorCode;
  readonly kernel: () => Kernel;
  readonly find: (kernel: Kernel, text: string) => PID | Alias;
  readonly exit: (kernel: Kernel, address: PID | Alias, reason: Reason) => void;
}

/** An address in a path. */
export const ActorParam = z.object({
  actor: z.string().describe("Id, registered name, `name:` and a name that looks like something else, or a PID in text."),
});

/** The longest time that a call may wait, about 24 days. */
const LONGEST_MS = 2_147_483_647;
const Priority = z.enum(["normal", "high", "max"]).optional().describe("The queue of the mailbox.");
const Send = z.strictObject({ message: z.unknown().describe("Handed over as it is."), priority: Priority });
const Call = z.strictObject({
  request: z.unknown(),
  timeoutMs: z.int().min(1).max(LONGEST_MS).default(5_000).describe("Longest wait for the answer."),
  priority: Priority,
});
const Exit = z.strictObject({
  reason: z
    .string()
    .min(1)
    .max(1_000)
    .default("shutdown")
    .describe("`normal` and `shutdown` are intended ends; any other text is an error."),
});
const Items = z.strictObject({
  item: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe("What to tell about; may be given again. What it means is up to the actor."),
});

/** Send, call, exit and inspect of one kind. */
export function commandRoutes(api: Api, commanded: Commanded): void {
  mailRoutes(api, commanded);
  lifeRoutes(api, commanded);
}

function mailRoutes(api: Api, { path, noun, what, unknown, full, kernel, find }: Commanded): void {
  const tags = ["actors"];
  const sendSchema = {
    operationId: `sendTo${noun}`,
    summary: `Put a message into the mailbox of ${what}`,
    tags,
    params: ActorParam,
    body: Send,
    response: { 204: nothing("It is in the mailbox."), ...problems("usage.invalid", "message.invalid", unknown, full) },
  };
  api.post(`${path}/send`, { schema: sendSchema }, async ({ params, body }, reply) => {
    const to = find(kernel(), params.actor) as PID;
    kernel().send(to, body.message, body.priority);
    return reply.code(204).send();
  });
  const callSchema = {
    operationId: `call${noun}`,
    summary: `Ask ${what}, and wait for its answer`,
    tags,
    params: ActorParam,
    body: Call,
    response: {
      200: answer("The answer; absent where it is none", z.object({ answer: z.unknown().optional() })),
      ...problems("usage.invalid", "message.invalid", unknown, full, "actor.timeout"),
    },
  };
  api.post(`${path}/call`, { schema: callSchema }, async ({ params, body }) => {
    const { request, timeoutMs, priority } = body;
    const to = find(kernel(), params.actor) as PID;
    const given = await kernel().call(to, request, { timeoutMs, ...(priority === undefined ? {} : { priority }) });
    return { answer: toPlain(given) };
  });
}

function lifeRoutes(api: Api, { path, noun, what, unknown, full, kernel, find, exit }: Commanded): void {
  const tags = ["actors"];
  const exitSchema = {
    operationId: `exit${noun}`,
    summary: `Ask ${what} to end; it cannot refuse, but finishes the message that it handles`,
    tags,
    params: ActorParam,
    body: Exit,
    response: { 204: nothing("The signal is in the mailbox."), ...problems("usage.invalid", "message.invalid", unknown, full) },
  };
  api.post(`${path}/exit`, { schema: exitSchema }, async ({ params, body }, reply) => {
    exit(kernel(), find(kernel(), params.actor), reasonOf(body.reason));
    return reply.code(204).send();
  });
  const inspectSchema = {
    operationId: `inspect${noun}`,
    summary: `What ${what} tells about itself`,
    tags,
    params: ActorParam,
    querystring: Items,
    response: {
      200: answer("Names and values, for people", z.object({ items: z.record(z.string(), z.string()) })),
      ...problems("usage.invalid", unknown, full, "actor.timeout"),
    },
  };
  api.get(`${path}/inspect`, { schema: inspectSchema }, async ({ params, query }) => {
    const told = await kernel().inspect(find(kernel(), params.actor), [query.item ?? []].flat());
    return { items: Object.fromEntries(Object.entries(told).map(([name, value]) => [name, String(value)])) };
  });
}

function reasonOf(text: string): Reason {
  return text === "normal" || text === "shutdown" || text === "kill" ? text : new Error(text);
}
