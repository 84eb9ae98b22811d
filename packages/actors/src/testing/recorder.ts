import { type Actor, KILL, SPAWN } from "../behaviour/actor.ts";
import type { Alias, AnyCall, PID, Reason } from "../identity/index.ts";
import type { MetaProcess, MetaShape } from "../meta/behaviour.ts";
import { BIND } from "../process/behaviour.ts";
import type { ActorShape } from "../runtime/typed.ts";
import { type Action, OPERATIONS, type Operation } from "./actions.ts";

/** A class of actors. */
export type ActorClass<A extends ActorShape = ActorShape> = new () => A;

/** What a recorder tells, and asks. */
export interface Witness {
  now(): number;
  /** Something is about to be done. The error given back is what becomes of it instead. */
  doing(action: Action): Error | undefined;
  born(address: PID | Alias, instance: object): void;
  ended(address: PID | Alias, reason: Reason): void;
  /** The class to spawn in place of `actor`. */
  castActor(actor: ActorClass): ActorClass;
  /** The behaviour to spawn in place of `behaviour`. */
  castMeta(behaviour: MetaShape): MetaShape;
}

/** Operations whose errors come as rejections. */
const PROMISED: ReadonlySet<Operation> = new Set(["call", "inspect"]);
/** Those that are methods: a log writes by itself. */
const NAMES = (Object.keys(OPERATIONS) as Operation[]).filter((name) => name !== "log");

type Method = (this: unknown, ...args: unknown[]) => unknown;
type Open<A> = { -readonly [F in keyof A]: A[F] };

/** Writes down one operation and runs it, unless a fault is due. */
function perform(witness: Witness, head: { kind: Operation; by: PID | Alias }, args: readonly unknown[], run: () => unknown) {
  const { kind } = head;
  const fields = Object.fromEntries((OPERATIONS[kind] as readonly string[]).map((field, index) => [field, args[index]]));
  const action = { ...fields, ...head, atMs: witness.now(), gave: undefined, threw: undefined } as unknown as Open<Action>;
  const fault = witness.doing(action);
  if (fault !== undefined) {
    action.threw = fault;
    if (PROMISED.has(kind)) return Promise.reject(fault);
    throw fault;
  }
  const fail = (error: unknown): never => {
    action.threw = error;
    throw error;
  };
  const keep = (value: unknown): unknown => {
    action.gave = value;
    return value;
  };
  let given: unknown;
  try {
    given = run();
  } catch (error) {
    return fail(error);
  }
  // Passed on, not looked at from aside: a rejection that the actor does not handle stays one that nobody handles.
  return given instanceof Promise ? given.then(keep, fail) : keep(given);
}

/** A class that does what `actor` does, and has it written down. Its name stays the same. */
export function recordedActor(actor: ActorClass, witness: Witness): ActorClass {
  const Base = actor as unknown as new () => Actor<unknown, AnyCall>;
  class Recorded extends Base {
    override [BIND](...given: Parameters<Actor[typeof BIND]>): void {
      super[BIND](...given);
      witness.born(this.self, this);
    }
    override [SPAWN](make: ActorClass, plan: Parameters<Actor[typeof SPAWN]>[1]): ReturnType<Actor[typeof SPAWN]> {
      const args = [make, { ...plan.options, args: plan.args }];
      const run = (): unknown => super[SPAWN](witness.castActor(make), plan);
      return perform(witness, { kind: "spawn", by: this.self }, args, run) as ReturnType<Actor[typeof SPAWN]>;
    }
    override [KILL](pid: PID): void {
      perform(witness, { kind: "kill", by: this.self }, [pid], () => super[KILL](pid));
    }
    override terminate(reason: Reason): void | Promise<void> {
      witness.ended(this.self, reason);
      return super.terminate(reason);
    }
  }
  for (const kind of NAMES) {
    const original = (Base.prototype as unknown as Record<string, unknown>)[kind];
    if (typeof original !== "function") continue;
    const run = original as Method;
    const method: Method = function (this: unknown, ...args) {
      const passed = kind === "spawn" || kind === "spawnMeta" ? withCast(kind, args, witness) : args;
      return perform(witness, { kind, by: (this as Actor<unknown, AnyCall>).self }, args, () => run.apply(this, passed));
    };
    Object.defineProperty(Recorded.prototype, kind, { value: method, writable: true, configurable: true });
  }
  Object.defineProperty(Recorded, "name", { value: actor.name });
  return Recorded;
}

function withCast(kind: "spawn" | "spawnMeta", args: readonly unknown[], witness: Witness): unknown[] {
  const [first, ...rest] = args;
  return [kind === "spawn" ? witness.castActor(first as ActorClass) : witness.castMeta(first as MetaShape), ...rest];
}

/** Has everything written down that a behaviour does by its handle. It is the same object. */
export function recordedMeta(behaviour: MetaShape, witness: Witness): MetaShape {
  const target = behaviour as unknown as Record<"init" | "start" | "terminate", Method>;
  const { init, start, terminate } = target;
  let handle: MetaProcess | undefined;
  target.init = (given) => {
    const real = given as MetaProcess;
    witness.born(real.id, behaviour);
    handle = recordedHandle(real, witness);
    return init.call(behaviour, handle);
  };
  target.start = () => start.call(behaviour, handle);
  target.terminate = (reason) => {
    if (handle !== undefined) witness.ended(handle.id, reason as Reason);
    return terminate.call(behaviour, reason);
  };
  return behaviour;
}

/** The recorded handle of a meta-process. Its `spawn` is that of meta-processes. */
function recordedHandle(handle: MetaProcess, witness: Witness): MetaProcess {
  const methods = new Map<PropertyKey, unknown>();
  const wrap = (name: string, original: Method): Method => {
    if (!(name in OPERATIONS)) return original.bind(handle);
    const kind = name === "spawn" ? "spawnMeta" : (name as Operation);
    return (...args) => {
      const passed = kind === "spawnMeta" ? withCast(kind, args, witness) : args;
      return perform(witness, { kind, by: handle.id }, args, () => original.apply(handle, passed));
    };
  };
  return new Proxy(handle, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      let method = methods.get(name);
      if (method === undefined) {
        method = wrap(String(name), value as Method);
        methods.set(name, method);
      }
      return method;
    },
    // The handle has private parts: what is set is set on itself.
    set: (target, name, value) => Reflect.set(target, name, value, target),
  });
}
