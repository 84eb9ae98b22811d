import {
  Actor,
  type Call,
  type Ended,
  type PID,
  Pool,
  type PoolSpec,
  type Reason,
  type Ref,
  type RejectedMail,
} from "../src/index.ts";
import { stage } from "./probe.ts";

/** What the workers of these tests understand. */
export type Message = { job: number } | { hold: Promise<void> } | { end: Reason };

/** What the workers of one pool did, in the order of doing it. */
export class Book {
  readonly pids: PID<Message, never>[] = [];
  readonly done: [worker: number, job: number][] = [];
  readonly ended: Reason[] = [];
  /** Thrown or awaited by the next `init`. */
  start: () => void | Promise<void> = () => undefined;
  /** Awaited after a job is done. */
  after: (job: number) => undefined | Promise<undefined> = () => undefined;
}

export class Worker extends Actor<Message, Call<"who" | "slow", number>> {
  #book!: Book;
  #number = 0;
  override init(book: Book): void {
    void book.start();
    this.#book = book;
    this.#number = book.pids.push(this.self) - 1;
  }
  override handleMessage(_from: PID, message: Message): Ended {
    if ("hold" in message) return message.hold;
    if ("end" in message) return message.end;
    this.#book.done.push([this.#number, message.job]);
    return this.#book.after(message.job);
  }
  override handleCall(_from: PID, _ref: Ref, request: "who" | "slow"): number {
    return request === "who" ? this.#number : -1;
  }
  override handleEvent(event: { message: unknown }): void {
    this.#book.done.push([this.#number, event.message as number]);
  }
  override terminate(reason: Reason): void {
    this.#book.ended.push(reason);
  }
}

export class SlowWorker extends Actor<Message, Call<"who", number>> {
  #number = 0;
  #book!: Book;
  override async init(book: Book): Promise<void> {
    await book.start();
    this.#book = book;
    this.#number = book.pids.push(this.self) - 1;
  }
  override handleMessage(_from: PID, message: Message): Ended {
    if ("end" in message) return message.end;
    if ("job" in message) this.#book.done.push([this.#number, message.job]);
  }
  override handleCall(): number {
    return this.#number;
  }
  override terminate(reason: Reason): void {
    this.#book.ended.push(reason);
  }
}

export let made: Workers;
export class Workers extends Pool<Worker, { own: string }, Call<"own", string>> {
  readonly own: string[] = [];
  readonly rejected: RejectedMail[] = [];
  override init(spec: PoolSpec<Worker>): PoolSpec<Worker> {
    made = this;
    return spec;
  }
  override handleMessage(_from: PID, message: Message | { own: string }): void {
    this.own.push("own" in message ? message.own : "job");
  }
  override handleCall(_from: PID, _ref: Ref, request: "who" | "slow" | "own"): string {
    return `pool: ${request}`;
  }
  override handleRejected(mail: RejectedMail): void {
    this.rejected.push(mail);
  }
}

export class SlowWorkers extends Pool<SlowWorker> {
  override init(spec: PoolSpec<SlowWorker>): PoolSpec<SlowWorker> {
    slow = this;
    return spec;
  }
}
export let slow: SlowWorkers;

/** A pool of workers on a kernel of its own. */
export function pooled(spec: Partial<PoolSpec<Worker>> = {}) {
  const on = stage();
  const book = new Book();
  const pool = on.kernel.spawn(Workers, { args: [{ worker: Worker, args: [book], ...spec }] });
  return { ...on, book, pool, behaviour: made, inspect: () => on.kernel.inspect(pool) };
}

export type Pooled = ReturnType<typeof pooled>;

/** A promise and how to settle it. */
export function gate(): { readonly promise: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined;
  return { promise: new Promise<void>((resolve) => (open = resolve)), open: () => open() };
}
