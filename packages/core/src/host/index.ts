/**
 * Management of a node's host as ordinary messages, published as `@metanode/core/host`: facts, programs, files, units and
 * logs. A node has it where its options name the module, and does what the rules allow.
 *
 * ```ts
 * const host = hostControl({ rules: [{ verbs: ["exec"], paths: ["uptime"], callers: ["role:admin"] }] });
 * await using node = await createNode({ name: "eu", modules: [host] });
 * for await (const item of node.stream({ type: "metanode.host.exec", data: { argv: ["uptime"] }, extensions: { caller: "role:admin" } }))
 *   console.log(item);
 * ```
 */

export { hostId } from "../node/host-id.ts";
export type { ExecEnd, ExecInput, ExecItem } from "./exec.ts";
export type { DiskFacts, HostFacts } from "./facts.ts";
export { type HostAttempt, LOCAL_CALLER } from "./gate.ts";
export type { LogItem } from "./lines.ts";
export { type HostModule, hostControl } from "./module.ts";
export type { HostControlOptions, HostUnit } from "./options.ts";
export type { OutputPiece, Piece, PieceEncoding } from "./outflow.ts";
export type { Exit, HostLimits } from "./process-group.ts";
export type { ProcessFacts } from "./processes.ts";
export type { PullChunk, PullEnd, PullInput, PullItem } from "./pull.ts";
export type { PushAnswer, PushInput } from "./push.ts";
export { REDACTED, redactArguments } from "./redact.ts";
export { HOST_VERBS, type HostRule, type HostVerb } from "./rules.ts";
export type { UnitAction } from "./systemd.ts";
export type { UnitState, UnitStatus } from "./unit.ts";
export type { LogInput, UnitInput } from "./verbs.ts";
