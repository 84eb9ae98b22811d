import type { ReadOptions, Source, SourceBatch } from "../delivery/source.ts";
import { streamError } from "../errors.ts";
import type { Content } from "../record/batch.ts";
import { type Lineage, SourceLineage } from "../record/lineage.ts";
import type { SourceHost } from "../stage/stage.ts";

/** When whoever sent records is told that they are taken. */
export type Until = "accepted" | "settled";

export interface OfferOptions {
  /** @default "accepted" */
  readonly until?: Until;
  /** What the sender knows the records by, one behind the other: then they keep their ids when they are sent again. */
  readonly id?: string | undefined;
  /** The W3C traceparent that the records belong to. */
  readonly trace?: string | undefined;
}

interface Entry {
  readonly content: Content;
  readonly count: number;
  readonly until: Until;
  readonly id: string | undefined;
  readonly trace: string | undefined;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export interface InboxOptions {
  /** Records that may wait. */
  readonly maxRecords: number;
  /** The source whose records these are. */
  readonly host: Pick<SourceHost, "node" | "epoch">;
  /** Reading stops, and nothing new is taken: lets go of whatever brings records. */
  readonly onStop?: () => void;
  /** Nobody waits for an answer any more. */
  readonly onClose?: () => void | Promise<void>;
}

/** Records that travel together. */
const BATCH_RECORDS = 512;

/**
 * Where records wait that come unasked, until the graph takes them.
 *
 *  N1. It is bounded: who offers looks for room first, or waits for it, or says no to whoever sent the records.
 *  N2. An offer resolves once the records are handed over (`accepted`), or have reached every sink (`settled`). It rejects
 *      when the run ends before.
 *  N3. When reading stops, nothing new is taken, and what was taken is still handed over.
 */
export class Inbox implements Source {
  readonly #entries: Entry[] = [];
  readonly #unsettled = new Set<Entry>();
  readonly #forRoom: (() => void)[] = [];
  #waiting = 0;
  #given = 0;
  #isClosed = false;
  #isOver = false;
  #wake: (() => void) | undefined;
  readonly #options: InboxOptions;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Whether it takes more. Also while it has a little room an offer may be large: it is taken as a whole. */
  hasRoom(): boolean {
    return this.#waiting < this.#options.maxRecords && !this.#isClosed;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Records that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Resolves when there is room, or never will be. */
  async whenRoom(): Promise<void> {
    while (!this.hasRoom() && !this.#isClosed) await new Promise<void>((resolve) => this.#forRoom.push(resolve));
  }

  /** Puts records in. @throws {MetanodeError} stream.stopped */
  offer(content: Content, { until = "accepted", id, trace }: OfferOptions = {}): Promise<void> {
    if (this.#isClosed) return Promise.reject(stopped());
    const count = "block" in content ? content.block.count : content.records.length;
    if (count === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#entries.push({ content, count, until, id, trace, resolve, reject });
      this.#waiting += count;
      this.#wake?.();
    });
  }

  /** There will be no more: the source ends once everything is handed over. */
  finish(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  async *read({ sequence, signal }: ReadOptions): AsyncGenerator<SourceBatch> {
    this.#given = sequence;
    const onAbort = (): void => this.#refuse();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      for (;;) {
        if (this.#entries.length > 0) yield* this.#giveNext();
        else if (this.#isClosed || this.#isOver) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#refuse();
    }
  }

  async close(): Promise<void> {
    this.#refuse();
    for (const { reject } of [...this.#entries.splice(0), ...this.#unsettled]) reject(stopped());
    this.#unsettled.clear();
    await this.#options.onClose?.();
  }

  *#giveNext(): Generator<SourceBatch> {
    const taken = this.#take();
    const [{ content }] = taken as [Entry];
    const lineage = this.#lineageOf(taken);
    const records = taken.flatMap((entry) => ("block" in entry.content ? [] : entry.content.records));
    for (const { count } of taken) {
      this.#waiting -= count;
      this.#given += count;
    }
    for (const entry of taken) this.#unsettled.add(entry);
    const onSettled = (): void => {
      for (const entry of taken) this.#done(entry);
    };
    yield { ...("block" in content ? content : { records }), position: String(this.#given), onSettled, ...lineage };
    for (const entry of taken) if (entry.until === "accepted") this.#done(entry);
    for (const resolve of this.#forRoom.splice(0)) resolve();
  }

  /** Ids of the senders where there are any. Records are counted otherwise, in each run anew: they come from nobody who knows them. */
  #lineageOf(taken: readonly Entry[]): { readonly lineage?: Lineage } {
    if (taken.every(({ id }) => id === undefined)) return {};
    const { node, epoch } = this.#options.host;
    const counted = new SourceLineage(`${node.name}@${epoch}`, this.#given);
    const ids: string[] = [];
    const traces: (string | undefined)[] = [];
    for (const { id, count, trace } of taken) {
      for (let index = 0; index < count; index++) {
        traces.push(trace);
        const known = index === 0 ? `${node.name}=${id}` : `${node.name}=${id}.${index}`;
        ids.push(id === undefined ? counted.idOf(ids.length) : known);
      }
    }
    return { lineage: { idOf: (index) => ids[index] as string, traceOf: (index) => traces[index] } };
  }

  /** What goes on together: one block, or plain records of several offers. */
  #take(): Entry[] {
    const taken: Entry[] = [];
    let count = 0;
    for (let entry = this.#entries[0]; entry !== undefined && count < BATCH_RECORDS; entry = this.#entries[0]) {
      const isBlock = "block" in entry.content;
      if (isBlock && taken.length > 0) break;
      taken.push(entry);
      this.#entries.shift();
      count += entry.count;
      if (isBlock) break;
    }
    return taken;
  }

  #done(entry: Entry): void {
    this.#unsettled.delete(entry);
    entry.resolve();
  }

  #refuse(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.onStop?.();
    for (const resolve of this.#forRoom.splice(0)) resolve();
    this.#wake?.();
  }
}

function stopped(): Error {
  return streamError("stream.stopped", "the graph has stopped before these records were through; send them again");
}
