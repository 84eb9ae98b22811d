import type { Clock, Timer } from "@metanode/core/clock";
import { actorError } from "../errors.ts";
import type { Process } from "../process/process.ts";
import type { Tables } from "../runtime/tables.ts";
import { withdraw } from "../runtime/watch.ts";

/** How often a stop says whom it waits for. */
const TELL_EVERY_MS = 5_000;
/** So many are named each time; the rest is counted. */
const TELL_AT_MOST = 20;

/** Says whom a stop waits for, again and again, until it is cancelled. */
export function tellWaiting(tables: Tables): Timer {
  let timer: Timer;
  const arm = (): Timer => tables.clock.setTimer(TELL_EVERY_MS, tell);
  const tell = (): void => {
    const left = [...tables.processes.values(), ...tables.metas];
    for (const process of left.slice(0, TELL_AT_MOST)) {
      tables.report({ kind: "stop_waits", pid: process.pid, text: `the stop waits for ${describe(process)}` });
    }
    if (left.length > TELL_AT_MOST) {
      const text = `the stop waits for ${left.length - TELL_AT_MOST} more`;
      tables.report({ kind: "stop_waits", pid: tables.core, text });
    }
    timer = arm();
  };
  timer = arm();
  return { cancel: () => timer.cancel() };
}

function describe(process: Process): string {
  const { urgent, system, main, log } = process.waiting();
  const name = process.name ?? process.behaviour.constructor.name;
  const state = process.state === "running" && process.pending?.blocking === true ? "waiting for an answer" : process.state;
  return `${name}: ${state}, ${urgent + system + main + log} messages waiting`;
}

/** The last act of a stop: from now on the kernel does nothing more. What still runs is left alone. */
export function close(tables: Tables): void {
  tables.state = "stopped";
  for (let first = tables.outside.pending; first !== undefined; first = tables.outside.pending) {
    first.fail(actorError("actor.node_terminated"));
  }
  for (const timer of tables.timers) timer.cancel();
  tables.timers.clear();
  tables.deadlines.rest();
  for (const event of [...tables.events.values()]) withdraw(tables, event, actorError("actor.node_terminated"));
}

/** Waits for `event`, no longer than `timeoutMs`. @throws actor.timeout */
export function within(clock: Clock, timeoutMs: number, event: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(timeoutMs, () =>
      reject(actorError("actor.timeout", `the kernel still runs after ${timeoutMs} ms`)),
    );
    void event.then(() => {
      timer.cancel();
      resolve();
    });
  });
}
