import { actorError } from "../errors.ts";
import { type AnyCall, PID } from "../identity/index.ts";
import { Envelope, MessageExit } from "../mailbox/index.ts";
import { BIND, EXIT, ROUTE, START } from "../process/behaviour.ts";
import type { Process } from "../process/process.ts";
import { type ForwardedMail, handOn, isGone, mailOf, refuseCall } from "../runtime/forward.ts";
import type { Host } from "../runtime/host.ts";
import type { ActorShape, Ended } from "../runtime/typed.ts";
import { Actor } from "./actor.ts";
import {
  type CallsOf,
  count,
  MAX_GROWTH,
  type MessagesOf,
  type PoolSpec,
  resolvePoolSpec,
  type WorkerCount,
} from "./pool-spec.ts";
import { Rotation } from "./rotation.ts";

/** Mail that found no worker. */
export interface RejectedMail extends ForwardedMail {
  /** `actor.mailbox_full` – every worker's mailbox is full; `actor.pool_empty` – there is no worker. */
  readonly error: Error;
}

interface Place {
  /** The worker; undefined while it starts, or when it ended in its first moments. */
  process: Process | undefined;
  isStarting: boolean;
}

/**
 * The base of pools: actors that hand what they are sent to workers, which take turns and answer the callers themselves.
 * Mail of priority `high` and `max` is for the pool itself, and so is an answer to what the pool has asked; `Own` and
 * `OwnCalls` are the types of that mail, and the compiler cannot know the priority that it needs.
 *
 * A worker that has ended is replaced when its turn comes, without a limit and without a word to anybody; what waited in
 * its mailbox is gone with it. One whose mailbox is full is passed over. Mail for which no worker has room is rejected: the
 * caller of a call gets the error, and {@link Pool.handleRejected} hears of it. Any exit ends the pool, and with it its
 * workers.
 *
 *  L1. A place stands in the rotation once; its worker is replaced at most once per end, at the next turn of the place.
 *  L2. Mail is handed to one worker or rejected, never both and never twice. While replacements start and nobody else has
 *      room, it waits for the first of them; nothing else is read meanwhile.
 *  L3. A worker that is taken out handles what it has before its end, and gets no more.
 */
export abstract class Pool<W extends ActorShape, Own = never, OwnCalls extends AnyCall = never> extends Actor<
  MessagesOf<W> | Own,
  CallsOf<W> | OwnCalls
> {
  #process!: Process;
  #host!: Host;
  #spec!: Required<PoolSpec<W>>;
  readonly #places = new Rotation<Place>();
  readonly #starting = new Set<Promise<void>>();
  #restarts = 0;
  #forwarded = 0;
  #rejected = 0;

  /** Gives the specification. */
  abstract override init(...args: never[]): PoolSpec<W>;

  /** Mail that no worker had room for; the caller of a call has been told already. */
  handleRejected({ kind, from, message, error }: RejectedMail): Ended {
    this.log.error(`rejected ${kind} from ${from}: ${error.message}`, { error, message });
  }

  /** Tells how the pool does, for people. */
  override handleInspect(_from: PID, _items: readonly string[]): ReturnType<Actor["handleInspect"]> {
    return {
      pool_size: String(this.#places.size),
      worker_behavior: this.#spec.worker.name,
      worker_mailbox_size: String(this.#spec.options.mailboxLimit ?? 0),
      worker_restarts: String(this.#restarts),
      messages_forwarded: String(this.#forwarded),
      messages_unhandled: String(this.#rejected),
    };
  }

  /** Workers in the rotation, those that have ended and await their replacement included. */
  get workers(): number {
    return this.#places.size;
  }

  /**
   * Adds workers, whose turns come after everybody else's; gives how many there are then.
   * @throws what the spawn of a worker throws, those before it staying; actor.incorrect – no count, or over a hundred times
   * the first size; actor.not_allowed – the pool starts or ends
   */
  addWorkers(more: number): WorkerCount<W> {
    this.#mayChange();
    const most = this.#spec.size * MAX_GROWTH;
    if (this.#places.size + count("the number of workers", more) > most) {
      const found = `${more} more than ${this.#places.size} workers`;
      throw actorError("actor.incorrect", `${found}, but a pool that began with ${this.#spec.size} has at most ${most}`);
    }
    const grown = this.#grow(more);
    return (grown === undefined ? this.#places.size : grown.then(() => this.#places.size)) as WorkerCount<W>;
  }

  /**
   * Takes out the workers whose turns would be next; each ends with `normal` once it has handled what it has. Gives how many
   * are left.
   * @throws actor.pool_empty – there were fewer: all of them are taken out, and the pool lives on; actor.incorrect;
   * actor.not_allowed – the pool starts or ends
   */
  removeWorkers(fewer: number): number {
    this.#mayChange();
    count("the number of workers", fewer);
    for (let i = 0; i < fewer; i++) {
      const place = this.#places.shift();
      if (place === undefined) throw actorError("actor.pool_empty", `the pool had ${i} workers, ${fewer} were to go`);
      if (!place.isStarting) this.#letGo(place);
    }
    return this.#places.size;
  }

  /** A pool traps no exits. @throws actor.unsupported */
  override setTrapExit(trap: boolean): void {
    if (trap) throw actorError("actor.unsupported", "a pool cannot trap exits: any exit ends it");
  }

  override [BIND](process: Process, host: Host): void {
    super[BIND](process, host);
    this.#process = process;
    this.#host = host;
    process.isRouting = true;
  }

  override [START](args: readonly unknown[]): unknown {
    this.#spec = resolvePoolSpec(super[START](args) as PoolSpec<W>);
    return this.#grow(this.#spec.size);
  }

  override [EXIT](exit: MessageExit): unknown {
    return exit.reason;
  }

  [ROUTE](from: PID | undefined, payload: unknown): unknown {
    const refusal = this.#offer(from, payload);
    if (refusal === undefined) return undefined;
    if (refusal === "starting") return Promise.race(this.#starting).then(() => this[ROUTE](from, payload));
    this.#rejected++;
    const error = actorError(refusal, refusal === "actor.pool_empty" ? undefined : "the mailbox of every worker is full");
    refuseCall(this.#host.tables, from, payload, error);
    return this.handleRejected({ ...mailOf(from, payload), error });
  }

  /** Hands mail to the first worker with room, beginning with whose turn it is. Says why nobody took it. */
  #offer(from: PID | undefined, payload: unknown): undefined | "starting" | "actor.mailbox_full" | "actor.pool_empty" {
    let isStarting = false;
    for (let left = this.#places.size; left > 0 && this.#places.size > 0; left--) {
      const place = this.#places.next();
      if (!place.isStarting && isGone(place.process)) this.#replace(place);
      isStarting ||= place.isStarting;
      const { process } = place;
      if (process === undefined || !handOn(this.#process, process, from, payload)) continue;
      this.#forwarded++;
      return undefined;
    }
    if (isStarting) return "starting";
    return this.#places.size === 0 ? "actor.pool_empty" : "actor.mailbox_full";
  }

  /** Fills a place anew. One whose new worker does not start is given up. */
  #replace(place: Place): void {
    place.process = undefined;
    const giveUp = (error: unknown): void => {
      place.isStarting = false;
      this.#places.drop(place);
      this.log.error("a worker that ended could not be replaced", { error });
    };
    const settle = (pid: PID): void => {
      this.#restarts++;
      this.#settle(place, pid);
    };
    try {
      const started = this.#spawn();
      if (started instanceof PID) settle(started);
      else this.#await(place, started.then(settle, giveUp));
    } catch (error) {
      giveUp(error);
    }
  }

  #await(place: Place, started: Promise<void>): void {
    place.isStarting = true;
    const settled = started.finally(() => this.#starting.delete(settled));
    this.#starting.add(settled);
  }

  #settle(place: Place, pid: PID): void {
    place.isStarting = false;
    place.process = this.#host.tables.byPid(pid);
    if (!this.#places.has(place)) this.#letGo(place);
  }

  /** Starts workers, all at once if they take time. */
  #grow(more: number): undefined | Promise<void> {
    const starting: Promise<void>[] = [];
    const add = (pid: PID): void => {
      this.#places.add({ process: this.#host.tables.byPid(pid), isStarting: false });
    };
    for (let i = 0; i < more; i++) {
      const started = this.#spawn();
      if (started instanceof PID) {
        add(started);
        continue;
      }
      const added = started.then(add);
      added.catch(nothing); // one that fails after another has failed
      starting.push(added);
    }
    return starting.length === 0 ? undefined : Promise.all(starting).then(nothing);
  }

  #spawn(): PID | Promise<PID> {
    const { worker, args, options } = this.#spec;
    return this.spawn(worker, { ...options, args, linkParent: true } as never) as PID | Promise<PID>;
  }

  #letGo({ process }: Place): void {
    const self = this.#process.pid;
    if (!isGone(process)) process?.endAfterMail(new Envelope("exit", self, new MessageExit("pid", self, "normal")));
  }

  #mayChange(): void {
    const { state, pid } = this.#process;
    if (state !== "running" && state !== "sleep") throw actorError("actor.not_allowed", `pool ${pid} is ${state}`);
  }
}

function nothing(): void {
  // Whoever asked for the start hears of its outcome.
}
