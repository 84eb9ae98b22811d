/**
 * What users test their own actors with. Loads neither a test runner nor a server.
 *
 * ```ts
 * await using stage = createStage();
 * const mailer = stage.standIn("mailer").answer("ready", true);
 * const shop = await stage.spawn(Shop, { args: [mailer.pid] });
 * await shop.tell({ order: "tea" });
 * shop.should("send", { to: mailer.pid, message: { mail: "tea is on its way" } }, 1);
 * ```
 */
export type { Action, Operation, Operations, Pattern } from "./actions.ts";
export type { Fault } from "./faults.ts";
export { createStage, type Stage } from "./stage.ts";
export type { Received, StandIn } from "./stand-in.ts";
export type { ActorSubject, MetaSubject, Subject } from "./subject.ts";
