import type { Timer } from "@metanode/core/clock";
import { actorError } from "../errors.ts";
import type { Address, PID, Reason } from "../identity/index.ts";
import type { Priority } from "../mailbox/index.ts";
import { extrasOf } from "../process/extras.ts";
import type { Process } from "../process/process.ts";
import { checkExit, deliver, exitFrom } from "./deliver.ts";
import type { Tables } from "./tables.ts";
import { allowed } from "./watch.ts";

/** Prevents a delivery; true if it came in time. */
export type CancelTimer = () => boolean;

/** Sends once, later, also when the sender has ended by then. What cannot be delivered then is lost. */
export function sendAfter(
  tables: Tables,
  from: Process,
  to: Address,
  message: unknown,
  delayMs: number,
  priority: Priority,
  onFired?: () => void,
): CancelTimer {
  allowed(from);
  return once(tables, delayMs, () => {
    onFired?.();
    deliver(tables, from.pid, to, message, priority);
  });
}

/** Sends an exit signal later. What {@link checkExit} refuses is refused now; who lives then is looked at then. */
export function sendExitAfter(
  tables: Tables,
  from: Process,
  to: PID<never, never>,
  reason: Reason,
  delayMs: number,
): CancelTimer {
  allowed(from);
  checkExit(from, to, reason);
  return once(tables, delayMs, () => void exitFrom(tables, from.pid, to, reason));
}

/** Runs once, later, unless the kernel has stopped by then. @throws actor.incorrect – a delay that is no time */
export function once(tables: Tables, delayMs: number, run: () => void): CancelTimer {
  if (!(delayMs >= 0)) throw actorError("actor.incorrect", `a delay is ${delayMs}, expected 0 milliseconds or more`);
  const timer = tables.clock.setTimer(delayMs, () => {
    tables.timers.delete(timer);
    run();
  });
  tables.timers.add(timer);
  return () => {
    timer.cancel();
    return tables.timers.delete(timer);
  };
}

/** Sends at a fixed rate from now on, until cancelled or the sender ends; what was missed is not made up for. */
export function sendEvery(
  tables: Tables,
  from: Process,
  to: Address,
  message: unknown,
  periodMs: number,
  priority: Priority = from.priority,
): CancelTimer {
  allowed(from);
  if (!(periodMs > 0)) throw actorError("actor.incorrect", "a period is over 0 milliseconds");
  const { clock } = tables;
  const startMs = clock.now();
  let timer: Timer;
  let open = true;
  const arm = (): void => {
    const passedMs = clock.now() - startMs;
    timer = clock.setTimer((Math.floor(passedMs / periodMs) + 1) * periodMs - passedMs, tick);
  };
  const tick = (): void => {
    deliver(tables, from.pid, to, message, priority);
    arm();
  };
  const cancel = (): boolean => {
    const prevented = open;
    open = false;
    timer.cancel();
    from.extras?.onEnd.delete(cancel);
    return prevented;
  };
  arm();
  extrasOf(from).onEnd.add(cancel);
  return cancel;
}
