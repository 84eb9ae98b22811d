import { systemClock, wait } from "@metanode/core/clock";
import { settle, VirtualClock } from "@metanode/core/testing/clock";
import { Actor } from "../behaviour/actor.ts";
import { type Alias, PID } from "../identity/index.ts";
import { createKernel, type Kernel } from "../kernel/kernel.ts";
import type { LogRecord } from "../log/index.ts";
import type { MetaOptions, MetaShape } from "../meta/behaviour.ts";
import type { KernelReport } from "../runtime/tables.ts";
import type { ActorShape, SpawnRest } from "../runtime/typed.ts";
import type { Action, Operation } from "./actions.ts";
import { type Fault, Faults } from "./faults.ts";
import { Journal } from "./journal.ts";
import { type ActorClass, recordedActor, recordedMeta, type Witness } from "./recorder.ts";
import { StandIn, StandInMeta, standInActor } from "./stand-in.ts";
import { type ActorSubject, type AnySubject, type MetaSubject, Subject } from "./subject.ts";

/** How long the end of a stage waits for sockets and programs to close, in real time. */
const CLOSE_MS = 2_000;
/** Longer than the grace of a kernel's stop. */
const PAST_GRACE_MS = 60_000;

/**
 * A place to try actors on: a real kernel, on a clock that only the test moves, that writes down everything the actors do.
 * Leaving the block of `await using` stops the kernel.
 */
export class Stage implements AsyncDisposable {
  readonly kernel: Kernel;
  readonly clock = new VirtualClock();
  /** What the kernel told people. */
  readonly reports: KernelReport[] = [];
  readonly #journal = new Journal((address) => this.#nameOf(address));
  readonly #faults = new Faults();
  readonly #subjects = new Map<string, AnySubject>();
  readonly #labels = new Map<string, string>();
  readonly #actorCast = new Map<unknown, StandIn>();
  readonly #metaCast = new Map<abstract new (...args: never[]) => object, StandIn>();
  readonly #witness: Witness;

  constructor() {
    this.kernel = createKernel({
      name: "test@stage",
      clock: this.clock,
      log: { level: "trace", loggers: { stage: (record) => this.#logged(record) } },
      onReport: (report) => this.reports.push(report),
    });
    this.#witness = {
      now: () => this.clock.now(),
      doing: (action) => {
        this.#journal.add(action);
        return this.#faults.hit(action);
      },
      born: (address, instance) => this.#born(address, instance),
      ended: (address, reason) => {
        this.#subjects.get(String(address))?.ended(reason);
        this.#journal.ended(address);
      },
      castActor: (actor) => this.#castActor(actor),
      castMeta: (behaviour) => this.#castMeta(behaviour),
    };
  }

  /** Everything that was done, by whomever, in order. */
  get actions(): readonly Action[] {
    return this.#journal.actions;
  }

  /** Spawns an actor, waits for its start, and lets everything that follows from it happen. Its children are recorded too. */
  async spawn<A extends ActorShape>(actor: new () => A, ...rest: SpawnRest<A>): Promise<ActorSubject<A>> {
    const recorded = recordedActor(actor, this.#witness) as new () => A;
    const pid = await this.kernel.spawn(recorded, ...rest);
    await settle();
    return this.of(pid as PID) as unknown as ActorSubject<A>;
  }

  /** Spawns a meta-process of `owner`. @default a new stand-in */
  async spawnMeta<B extends MetaShape>(
    behaviour: B,
    { owner = this.standIn(), ...options }: MetaOptions & { owner?: StandIn } = {},
  ): Promise<MetaSubject<B>> {
    const alias = await owner.owns(recordedMeta(behaviour, this.#witness), options);
    await settle();
    return this.of(alias) as unknown as MetaSubject<B>;
  }

  /** Somebody to deal with, registered by `name` if there is one. */
  standIn(name?: string): StandIn {
    const standIn = new StandIn(name ?? `stand-in ${this.#labels.size + 1}`, this.#journal.nameOf);
    const pid = this.kernel.spawn(standInActor(standIn) as never, (name === undefined ? {} : { name }) as never);
    this.#labels.set(String(pid), standIn.label);
    return standIn;
  }

  /** Whatever is spawned of this class from now on is a stand-in instead: an actor's class, or that of a meta-process. */
  standInFor(made: abstract new (...args: never[]) => object): StandIn {
    const standIn = new StandIn(made.name, this.#journal.nameOf);
    if (made.prototype instanceof Actor) this.#actorCast.set(made, standIn);
    else this.#metaCast.set(made, standIn);
    return standIn;
  }

  /** Lets an operation of everybody under test fail. The function given back ends that. */
  fail<K extends Exclude<Operation, "log">>(operation: K, fault: Fault<K> = {}): () => void {
    return this.#faults.plan(operation, fault);
  }

  /** What is known of an actor or a meta-process that was spawned here, also by an actor under test. */
  of(address: PID<never, never> | Alias<never, never>): AnySubject {
    const subject = this.#subjects.get(String(address));
    if (subject === undefined) throw new Error(`${address} was not spawned on this stage, or is a stand-in`);
    return subject;
  }

  /** Moves the clock, and lets everything that follows from it happen. */
  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms);
  }

  /** Lets everything happen that needs neither time nor the outer world. */
  async settle(): Promise<void> {
    await settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new AbortController();
    const stopped = this.kernel.stop().finally(() => closed.abort());
    // Sockets close in real time; what does not end by itself waits for a clock that stands still.
    await wait(systemClock, CLOSE_MS, closed.signal).then(
      () => this.clock.advance(PAST_GRACE_MS),
      () => undefined,
    );
    await stopped;
  }

  #born(address: PID | Alias, instance: object): void {
    const ground = { kernel: this.kernel, journal: this.#journal };
    this.#subjects.set(String(address), new Subject(ground, address, instance) as AnySubject);
    this.#labels.set(String(address), instance.constructor.name);
  }

  /** What an actor under test logs is one of the things that it does. */
  #logged({ level, source, text, fields, error, report }: LogRecord): void {
    const by = source.kind === "process" ? source.pid : source.kind === "meta" ? source.alias : undefined;
    if (by === undefined || report !== undefined || !this.#subjects.has(String(by))) return;
    const deed = { by, atMs: this.clock.now(), gave: undefined, threw: undefined };
    this.#journal.add({ kind: "log", level, text, fields, error, ...deed });
  }

  #castActor(actor: ActorClass): ActorClass {
    const standIn = this.#actorCast.get(actor);
    return standIn === undefined ? recordedActor(actor, this.#witness) : (standInActor(standIn) as unknown as ActorClass);
  }

  #castMeta(behaviour: MetaShape): MetaShape {
    for (const [made, standIn] of this.#metaCast) if (behaviour instanceof made) return new StandInMeta(standIn, behaviour);
    return recordedMeta(behaviour, this.#witness);
  }

  #nameOf(address: PID<never, never> | Alias<never, never>): string {
    if (address instanceof PID && address.id === this.kernel.core.id) return "the kernel";
    const label = this.#labels.get(String(address));
    return label === undefined ? String(address) : `${label} ${address}`;
  }
}

/** Makes a stage. */
export function createStage(): Stage {
  return new Stage();
}
