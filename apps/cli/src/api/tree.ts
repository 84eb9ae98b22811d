/** What the HTTP API answers with about the tree, and messages to single nodes of it. */
import { randomUUID } from "node:crypto";
import type { AnswerOf, components } from "@metanode/client";
import { coreError } from "@metanode/core/errors";
import { type ApiClient, errorOfProblem, readEvents } from "./client.ts";
import { EVENT_TYPE } from "./event.ts";
import { paths } from "./paths.ts";

export type TreeView = AnswerOf<"getTree">;
export type TreeNodeView = components["schemas"]["TreeNode"];
export type AdoptedView = components["schemas"]["AdoptedNode"];
export type NodeTokenView = AnswerOf<"createNodeToken", 201>;
export type NodeTokensView = AnswerOf<"listNodeTokens">;
export type TreeAuditView = AnswerOf<"listTreeAudit">;
export type ReleasedView = AnswerOf<"releaseNode">;
export type StandbyView = AnswerOf<"getStandby">;

/** What the node gets, beyond the deadline of an order, to say that it has passed. */
const MARGIN_MS = 5_000;

export interface NodeOrder {
  /** Path or id. @default the node that is spoken to */
  readonly node?: string;
  readonly type: string;
  readonly data?: unknown;
  /** 0 for as long as it takes. */
  readonly timeoutMs?: number;
}

/** As long as a call may take at all. */
const LONGEST_MS = 2_147_483_647;

/** Sends an order to one node of the tree and waits for its answer. */
export function orderNode<T>(client: ApiClient, order: NodeOrder): Promise<T> {
  const { timeoutMs = 30_000 } = order;
  return client.json<T>({
    method: "POST",
    path: paths.messages,
    query: { timeoutMs: timeoutMs || LONGEST_MS },
    headers: { "content-type": EVENT_TYPE },
    body: JSON.stringify(eventOf(order)),
    timeoutMs: timeoutMs === 0 ? 0 : timeoutMs + MARGIN_MS,
  });
}

/** Sends an order that is answered with a stream. */
export async function* streamNode<T>(client: ApiClient, order: NodeOrder): AsyncGenerator<T> {
  const { timeoutMs = 0 } = order;
  const { body } = await client.request({
    method: "POST",
    path: paths.messages,
    query: { mode: "stream", timeoutMs: timeoutMs || LONGEST_MS },
    headers: { "content-type": EVENT_TYPE, accept: "text/event-stream" },
    body: JSON.stringify(eventOf(order)),
    timeoutMs: 0,
  });
  yield* items<T>(body);
}

/** The items of a streamed answer, to its end. @throws {MetanodeError} what it ended with */
export async function* items<T>(body: AsyncIterable<Uint8Array>): AsyncGenerator<T> {
  for await (const { event: name, data } of readEvents(body)) {
    if (name === "end") return;
    const value = JSON.parse(data) as T;
    if (name === "problem") throw errorOfProblem(value);
    yield value;
  }
  throw coreError("node.unreachable", "the node ended the stream in the middle; look whether it still runs");
}

function eventOf({ node, type, data }: NodeOrder): object {
  const target = node === undefined ? {} : { target: node };
  return { specversion: "1.0", id: randomUUID(), source: "/cli", type, ...target, ...(data === undefined ? {} : { data }) };
}
