import type { Outcome, Reason, Ref } from "../identity/index.ts";
import type { Envelope } from "../mailbox/index.ts";
import { ANSWERS } from "../process/behaviour.ts";
import { pendingOf } from "../process/pending.ts";
import type { Process, ProcessHost } from "../process/process.ts";
import type { Scheduler } from "../process/scheduler.ts";
import { answerCall } from "./calls.ts";
import { finish } from "./end.ts";
import type { Tables } from "./tables.ts";

/** What processes ask of their kernel. */
export class Host implements ProcessHost {
  readonly scheduler: Scheduler;
  readonly tables: Tables;

  constructor(tables: Tables) {
    this.tables = tables;
    this.scheduler = tables.scheduler;
  }

  finished(process: Process, reason: Reason): void {
    finish(this.tables, process, reason);
  }

  answerCall(process: Process, envelope: Envelope, given: unknown): Outcome {
    return answerCall(envelope, given, process.behaviour[ANSWERS]);
  }

  answerInspect(envelope: Envelope, given: unknown): void {
    pendingOf(envelope.ref as Ref)?.answer(given ?? {});
  }
}
