/**
 * Keep-alive: bytes that are written when nothing else was for a while.
 *
 * K1. At most one timer is pending, and none after `stop`.
 * K2. A write of the user costs one reading of the clock and no timer.
 */
import type { Clock, Timer } from "@metanode/core/clock";
import { streamError } from "./splitting.ts";

/** What to write, how often and where. */
export interface KeepAliveOptions {
  /** Written as they are. */
  bytes: Uint8Array;
  /** How long nothing must have been written, in milliseconds; more than 0. */
  periodMs: number;
  clock: Clock;
  /** Writes the bytes. Called once by `start`, then after each idle period. */
  write: (bytes: Uint8Array) => void;
}

/** A running or stopped keep-alive of one connection. */
export interface KeepAlive {
  /** Writes at once, and from then on after each idle period. Does nothing when it runs already. */
  start(): void;
  /** Says that something else was written just now. */
  touch(): void;
  /** Writes nothing more. Idempotent. */
  stop(): void;
}

/**
 * Checks what a user gave for a keep-alive.
 * @throws {MetanodeError} actor.incorrect – when the period is not above 0, or there are no bytes
 */
export function checkKeepAlive({ bytes, periodMs }: Pick<KeepAliveOptions, "bytes" | "periodMs">): void {
  if (!(periodMs > 0 && Number.isFinite(periodMs))) {
    throw streamError("actor.incorrect", `keepAlive.periodMs is ${periodMs}, expected more than 0`, {
      option: "keepAlive.periodMs",
    });
  }
  if (!(bytes instanceof Uint8Array) || bytes.length === 0) {
    throw streamError("actor.incorrect", "keepAlive.bytes is empty, expected at least one byte", { option: "keepAlive.bytes" });
  }
}

/**
 * Builds a keep-alive; {@link KeepAlive.start} sets it going.
 * @throws {MetanodeError} actor.incorrect – when the period is not above 0, or there are no bytes
 */
export function createKeepAlive(options: KeepAliveOptions): KeepAlive {
  checkKeepAlive(options);
  const { bytes, periodMs, clock, write } = options;
  let timer: Timer | undefined;
  let lastWriteMs = 0;

  const arm = (delayMs: number): void => {
    timer = clock.setTimer(delayMs, look);
  };
  const send = (): void => {
    lastWriteMs = clock.now();
    arm(periodMs); // before the write, which may stop all this
    write(bytes);
  };
  const look = (): void => {
    const leftMs = lastWriteMs + periodMs - clock.now();
    if (leftMs > 0) arm(leftMs);
    else send();
  };
  return {
    start() {
      if (timer === undefined) send();
    },
    touch() {
      lastWriteMs = clock.now();
    },
    stop() {
      timer?.cancel();
      timer = undefined;
    },
  };
}
