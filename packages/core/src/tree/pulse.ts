import type { Timer } from "../clock.ts";
import type { TreeMeans } from "./means.ts";
import type { NodeLink } from "./node-link.ts";

/*
 * P1. A ping is answered by the loop that does the work, so a node that hangs cannot seem alive.
 * P2. Silence counts only while this side itself was awake: after a pause of its own every link gets its whole time again.
 * P3. A link that is silent is suspect after 2 beats, unreachable after 5; it is cut after 10. A node that was only busy
 *     answers in between, and nothing that was under way is lost.
 */

export const SUSPECT_BEATS = 2;
export const UNREACHABLE_BEATS = 5;
export const CUT_BEATS = 10;

/** One link and what is to be told of its silence. */
export interface Watched {
  readonly link: NodeLink;
  /** Whether this side sends the pings; the other one hears them and watches likewise. */
  readonly isPinged: boolean;
  /** Silent for so many beats; fewer than {@link SUSPECT_BEATS} means heard of. Told at every beat. */
  onBeats(beats: number): void;
}

/** Pings links and watches over their silence, all with one timer. */
export class Pulse {
  readonly #means: TreeMeans;
  readonly #watched: () => Iterable<Watched>;
  #timer: Timer | undefined;
  #awakeMs = 0;
  #dueMs = 0;

  constructor(means: TreeMeans, watched: () => Iterable<Watched>) {
    this.#means = means;
    this.#watched = watched;
  }

  /** Since when this side was awake all the time. */
  get awakeMs(): number {
    return this.#awakeMs;
  }

  start(): void {
    this.#awakeMs = this.#means.clock.now();
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    const { clock, times } = this.#means;
    this.#dueMs = clock.now() + times.heartbeatMs;
    this.#timer = clock.setTimer(times.heartbeatMs, () => this.#beat());
  }

  #beat(): void {
    const { clock, times } = this.#means;
    const nowMs = clock.now();
    if (nowMs - this.#dueMs > times.heartbeatMs / 2) this.#awakeMs = nowMs; // P2
    for (const { link, isPinged, onBeats } of [...this.#watched()]) {
      const silentMs = nowMs - Math.max(link.session.heardMs, this.#awakeMs);
      const beats = Math.floor(silentMs / times.heartbeatMs);
      if (beats >= CUT_BEATS) link.session.close();
      else {
        onBeats(beats);
        if (isPinged) link.ping();
      }
    }
    this.#arm();
  }
}
