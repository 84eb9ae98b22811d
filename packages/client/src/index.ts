/**
 * A typed client of a node's HTTP API, for browsers and for Node. Its types are made from the OpenAPI document that the
 * gateway's own schemas make, so that a route which changes does not compile any more where it is used.
 *
 * ```ts
 * const api = createClient({ url: "http://127.0.0.1:7400", token });
 * const node = await answerOf(api.GET("/api/v1/node"));
 * for await (const { event, data } of events(api, "/api/v1/graphs/numbers/live")) console.log(event, JSON.parse(data));
 * ```
 */

export type { AnswerOf } from "./answers.ts";
export { answerOf, type Client, type ClientOptions, createClient } from "./client.ts";
export { type EventOptions, events, readEvents, type ServerEvent } from "./events.ts";
export type { components, operations, paths } from "./generated/api.ts";
export { ApiError, errorOf, type Problem } from "./problem.ts";
