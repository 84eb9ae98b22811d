import type { Clock, DeadlineQueue } from "../clock.ts";
import type { Frame } from "./frames.ts";

/** What the calls of a session need of it. */
export interface Line {
  /** Names the other side in errors. */
  readonly peer: string;
  readonly clock: Clock;
  readonly deadlines: DeadlineQueue;
  readonly maxMessageBytes: number;
  readonly streamWindow: number;
  /** Puts a frame into the batch of this turn. `bytes` is the size of its payload. */
  send(frame: Frame, bytes?: number): void;
}
