import type { Origin } from "../delivery/origin.ts";
import type { Progress } from "../delivery/progress.ts";
import type { Source } from "../delivery/source.ts";
import type { Outlet } from "../stage/stage.ts";

export interface IntakeOptions {
  readonly source: Source;
  readonly origin: Origin;
  readonly outlet: Outlet;
  readonly from: Progress | undefined;
  /** The source has given everything. Not called when the reading was stopped. */
  readonly onEnded: () => void;
  readonly onFailed: (error: unknown) => void;
  /** There is no credit left, and so no more records that would push on what waits in the stages. */
  readonly onStarved: () => void;
}

/**
 * Reads one source, as fast as the graph takes it.
 *
 *  I1. A batch is handed over only while nobody holds the intake, with credit, and with room in the next stages.
 *  I2. Whatever the source gave is handed over, also when the reading is stopped meanwhile: it may not be had again.
 *      Only `close` drops it.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #reading = new AbortController();
  readonly #done: Promise<void>;
  #isHeld = false;
  #isClosed = false;
  #goOn: (() => void) | undefined;
  #awaitsRoom = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#done = this.#read();
  }

  /** Hands nothing over until `release`. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.poke();
  }

  /** Looks again whether it may go on. */
  poke(): void {
    if (this.#goOn !== undefined && (this.#isClosed || this.#mayGo())) {
      const goOn = this.#goOn;
      this.#goOn = undefined;
      goOn();
    }
  }

  /** Tells the source that everything up to here is through, and stored. */
  commitTo(position: string): void | Promise<void> {
    return this.#options.source.commit?.(position);
  }

  /** Asks the source for nothing more, hands over what it still gives, and resolves when it has ended. */
  async stop(): Promise<void> {
    this.#isHeld = false;
    this.#reading.abort();
    this.poke();
    await this.#done;
  }

  /** Drops what the source still gives. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#reading.abort();
    this.poke();
    await this.#options.source.close?.();
  }

  async #read(): Promise<void> {
    const { source, origin, outlet, from, onEnded, onFailed } = this.#options;
    const { signal } = this.#reading;
    try {
      const options = { position: from?.position, sequence: from?.sequence ?? 0, signal };
      for await (const given of source.read(options)) {
        if (!this.#mayGo()) await this.#gate();
        if (this.#isClosed) return;
        outlet.push(origin.admit(given));
        if (!this.#mayGo()) await this.#gate(); // before the source is asked for more
      }
      if (!signal.aborted) onEnded();
    } catch (error) {
      if (!signal.aborted) onFailed(error);
    }
  }

  #mayGo(): boolean {
    return !this.#isHeld && this.#options.origin.hasCredit() && this.#options.outlet.hasRoom();
  }

  async #gate(): Promise<void> {
    const { origin, onStarved } = this.#options;
    while (!this.#isClosed && !this.#mayGo()) {
      const goOn = new Promise<void>((resolve) => {
        this.#goOn = resolve;
      });
      if (!origin.hasCredit()) onStarved();
      this.#awaitRoom();
      await goOn;
    }
  }

  /** Is woken when there is room again; whoever comes first may take it, so that it has to look again. */
  #awaitRoom(): void {
    if (this.#awaitsRoom || this.#goOn === undefined) return;
    this.#awaitsRoom = true;
    this.#options.outlet.whenRoom(() => {
      this.#awaitsRoom = false;
      this.poke();
      this.#awaitRoom();
    });
  }
}
