import type { Clock, Timer } from "../clock.ts";
import { asMetanodeError, coreError, type MetanodeError } from "../errors.ts";
import type { Appended } from "./log.ts";
import type { NewRecord, StoredRecord } from "./record.ts";
import type { CommitResult, ConsumerSave, LogStore, Refusal } from "./store.ts";

/**
 * Group commit: one commit is under way at a time, and whatever wants to be stored meanwhile goes into the next one
 * together. (Two at a time, one prepared while the other is on its way to the disk, were measured: no faster, as the
 * groups are half as large.)
 *
 *  G1. Calls are stored in the order in which they were made, each wholly or not at all.
 *  G2. Every commit carries the state of every consumer that changed, so an ack costs no commit of its own while
 *      messages are appended, and makes room before they are.
 *  G3. State that could not be stored is kept and tried again; it is never given up.
 */

/** Bounds how long one commit holds up the next, and what it holds in memory. */
const MAX_COMMIT_RECORDS = 8_192;
const MAX_COMMIT_BYTES = 8 * 1_048_576;
/** How long an ack may wait for a commit to ride along with. */
const SAVE_DELAY_MS = 25;
/** How long after a failed save the next is tried. */
const SAVE_RETRY_MS = 1_000;

/** What the committer tells a stream about. */
export interface Appendable {
  readonly id: number;
  readonly name: string;
  /** Records that were stored, in order. */
  onStored(records: readonly StoredRecord[]): void;
  onFirstSequence(sequence: number): void;
}

/** Something whose changes ride along with commits. */
export interface Saver {
  /** The changes since the last call. */
  takeSave(): ConsumerSave;
  /** The changes could not be stored: they belong to the next save again. */
  restoreSave(save: ConsumerSave): void;
}

interface Call {
  readonly target: Appendable;
  readonly records: readonly NewRecord[];
  readonly resolve: (appended: Appended[]) => void;
  readonly reject: (error: MetanodeError) => void;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: MetanodeError) => void;
}

interface Batch {
  readonly nowMs: number;
  readonly calls: readonly Call[];
  readonly saves: readonly (readonly [Saver, ConsumerSave])[];
  readonly waiters: readonly Waiter[];
}

/** See the top of the file. */
export class Committer {
  readonly #store: LogStore;
  readonly #clock: Clock;
  readonly #onFault: (error: MetanodeError) => void;
  #calls: Call[] = [];
  #dirty = new Set<Saver>();
  #waiters: Waiter[] = [];
  #isUnderWay = false;
  #isScheduled = false;
  /** Something asked for a commit after the last batch was taken. */
  #isWanted = false;
  #saveTimer: Timer | undefined;
  #onIdle: (() => void)[] = [];
  /** The last commit failed: that was told, and is not told again. */
  #isFaulty = false;

  constructor(store: LogStore, clock: Clock, onFault: (error: MetanodeError) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#onFault = onFault;
  }

  /** Stores the records of one call. */
  append(target: Appendable, records: readonly NewRecord[]): Promise<Appended[]> {
    return new Promise((resolve, reject) => {
      this.#calls.push({ target, records, resolve, reject });
      this.#schedule();
    });
  }

  /** The same for a call with one record. */
  appendOne(target: Appendable, record: NewRecord): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.#calls.push({ target, records: [record], resolve: ([appended]) => appended && resolve(appended), reject });
      this.#schedule();
    });
  }

  /** Has the saver's changes stored: with the next commit, within 25 ms, or at once. */
  touch(saver: Saver, isUrgent: boolean): void {
    this.#dirty.add(saver);
    if (isUrgent) this.#schedule();
    else this.#saveTimer ??= this.#clock.setTimer(SAVE_DELAY_MS, () => this.#onSaveTimer());
  }

  /**
   * Resolves when all that was touched before is stored.
   * @throws {MetanodeError} log.storage
   */
  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#schedule();
    });
  }

  /** Forgets what a saver that was closed would still have saved. */
  forget(saver: Saver): void {
    this.#dirty.delete(saver);
  }

  /** Resolves when every call is answered. */
  async idle(): Promise<void> {
    if (this.#isUnderWay || this.#isWanted) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** Stops the timer. */
  stop(): void {
    this.#saveTimer?.cancel();
    this.#saveTimer = undefined;
  }

  #onSaveTimer(): void {
    this.#saveTimer = undefined;
    if (this.#dirty.size > 0) this.#schedule();
  }

  /** At the end of the present turn, so that what is asked for together goes together. */
  #schedule(): void {
    this.#isWanted = true;
    if (this.#isScheduled || this.#isUnderWay) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      void this.#commit(this.#takeBatch());
    });
  }

  #takeBatch(): Batch {
    const calls = this.#takeCalls();
    const savers = this.#dirty;
    const waiters = this.#waiters;
    this.#dirty = new Set();
    this.#waiters = [];
    this.#isWanted = this.#calls.length > 0;
    return {
      nowMs: Math.floor(this.#clock.now()),
      calls,
      saves: [...savers].map((saver) => [saver, saver.takeSave()]),
      waiters,
    };
  }

  #takeCalls(): readonly Call[] {
    let count = 0;
    let records = 0;
    let bytes = 0;
    for (const call of this.#calls) {
      for (const record of call.records) bytes += record.bytes;
      records += call.records.length;
      if (count > 0 && (records > MAX_COMMIT_RECORDS || bytes > MAX_COMMIT_BYTES)) break;
      count++;
    }
    if (count < this.#calls.length) return this.#calls.splice(0, count);
    const all = this.#calls;
    this.#calls = [];
    return all;
  }

  async #commit(batch: Batch): Promise<void> {
    this.#isUnderWay = true;
    const result = await this.#store
      .commit({
        nowMs: batch.nowMs,
        calls: batch.calls.map((call) => ({ stream: call.target.id, records: call.records })),
        saves: batch.saves.map(([, save]) => save),
      })
      .catch((thrown: unknown) => asMetanodeError(thrown, "log.storage"));
    this.#isUnderWay = false;
    if (result instanceof Error) this.#fail(batch, result);
    else {
      this.#isFaulty = false;
      answer(batch, result);
    }
    if (this.#isWanted) this.#schedule();
    else for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #fail(batch: Batch, error: MetanodeError): void {
    for (const call of batch.calls) call.reject(error);
    for (const waiter of batch.waiters) waiter.reject(error);
    if (batch.saves.length === 0) return;
    for (const [saver, save] of batch.saves) {
      saver.restoreSave(save);
      this.#dirty.add(saver);
    }
    this.#saveTimer ??= this.#clock.setTimer(SAVE_RETRY_MS, () => this.#onSaveTimer());
    if (!this.#isFaulty) this.#onFault(error);
    this.#isFaulty = true;
  }
}

/** Tells every call what became of it, then every stream what is new. */
function answer(batch: Batch, result: CommitResult): void {
  const stored = new Map<Appendable, StoredRecord[]>();
  batch.calls.forEach((call, index) => {
    const outcome = result.calls[index] ?? [];
    if (!isSequences(outcome)) {
      call.reject(refusalError(call, outcome));
      return;
    }
    let news = stored.get(call.target);
    if (news === undefined) {
      news = [];
      stored.set(call.target, news);
    }
    const appended: Appended[] = [];
    for (let at = 0; at < outcome.length; at++) {
      const sequence = outcome[at] as number;
      const record = call.records[at];
      appended.push({ sequence: Math.abs(sequence), duplicate: sequence < 0 });
      if (sequence > 0 && record) {
        news.push({ sequence, storedAtMs: batch.nowMs, head: record.head, octets: record.octets });
      }
    }
    call.resolve(appended);
  });
  for (const waiter of batch.waiters) waiter.resolve();
  for (const [target, records] of stored) if (records.length > 0) target.onStored(records);
  const targets = new Map([...stored.keys()].map((target) => [target.id, target]));
  for (const [stream, sequence] of result.firstSequences) targets.get(stream)?.onFirstSequence(sequence);
}

function isSequences(outcome: readonly number[] | Refusal): outcome is readonly number[] {
  return Array.isArray(outcome);
}

function refusalError(call: Call, refusal: Refusal): MetanodeError {
  const { name } = call.target;
  if ("freeBytes" in refusal) {
    const { freeBytes, minFreeBytes } = refusal;
    return coreError(
      "log.storage",
      `the disk under the log has ${freeBytes} bytes left, fewer than the ${minFreeBytes} of minFreeBytes; make room: what is consumed until then frees some`,
      { details: { freeBytes, minFreeBytes } },
    );
  }
  const { messages, bytes } = refusal;
  const refused = call.records.length;
  return coreError(
    "log.full",
    `stream ${name} holds ${messages} messages in ${bytes} bytes and has no room for ${refused} more that is not still needed; wait until its consumers have caught up, or raise maxMessages or maxBytes`,
    { details: { stream: name, messages, bytes, refused } },
  );
}
