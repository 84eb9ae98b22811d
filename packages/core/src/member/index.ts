/**
 * Selection x reduction: members that are one member.
 *
 * ```ts
 * const users = createGroup({ id: "users", members, select: one.byKey((message) => message.subject) });
 * const total = createGroup({ id: "total", members, select: all(policy.quorum("90%")), reduce: reduce.list() });
 * ```
 */

export type { Key, KeyOptions } from "./by-key.ts";
export type { Choose } from "./choose.ts";
export type { Split } from "./gather.ts";
export { type AllGroup, type AllGroupOptions, createGroup, type Group, type OneGroupOptions } from "./group.ts";
export { type Handler, handlerMember } from "./handler.ts";
export { limited } from "./limited.ts";
export type { CallContext, Member, MemberState, Outcome } from "./member.ts";
export { ordered } from "./ordered.ts";
export { type GroupResult, missingOf, valuesOf } from "./outcome.ts";
export type { PerMember } from "./plan.ts";
export { type Policy, type PolicyOptions, policy, type Tally } from "./policy.ts";
export type { Random } from "./random.ts";
export { type Reducer, reduce } from "./reduce.ts";
export { type All, all, type One, one, type Selection } from "./select.ts";
