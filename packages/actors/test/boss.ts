import { type Ended, type PID, type Reason, Supervisor, type SupervisorSpec } from "../src/index.ts";
import { inside, Probe, type Stage, stage } from "./probe.ts";

/** A supervisor that writes down what it is told. Its `act` runs inside of a callback. */
export class Boss extends Supervisor<unknown, { request: unknown; answer: unknown }> {
  readonly seen: string[] = [];
  readonly reasons: Reason[] = [];
  reason: Reason | undefined;
  answer: (request: unknown) => unknown = (request) => request;

  override init(spec: SupervisorSpec): SupervisorSpec {
    bosses.set(this.self, this);
    return spec;
  }
  override handleMessage(_from: PID, act: unknown): Ended {
    return typeof act === "function" ? act(this) : undefined;
  }
  override handleCall(_from: PID, _ref: unknown, request: unknown): unknown {
    return this.answer(request);
  }
  override handleEvent(event: { message: unknown }): Ended {
    return event.message as Reason;
  }
  override handleChildStart(name: string): Ended {
    this.seen.push(`+${name}`);
  }
  override handleChildTerminate(name: string, _pid: PID, reason: Reason): Ended {
    this.seen.push(`-${name}`);
    this.reasons.push(reason);
  }
  override terminate(reason: Reason): void {
    this.reason = reason;
  }
}

const bosses = new WeakMap<PID<never, never>, Boss>();

/** The supervisor behind a PID. */
export function bossOf(pid: PID<never, never>): Boss {
  return bosses.get(pid) as Boss;
}

/** Three children, a to c. */
export const three = ["a", "b", "c"].map((name) => ({ name, actor: Probe }));

export interface Supervised extends Stage {
  readonly boss: Boss;
  /** The PID behind a name. */
  pid(name: string): PID;
  /** The actor behind a name. */
  child(name: string): Probe;
  /** The names of children that run, and how often each was started, such as `a1`. */
  running(): (string | undefined)[];
}

/** A supervisor of a, b and c under the kernel, unless `spec` says otherwise. */
export function supervise(spec: Partial<SupervisorSpec> = {}): Supervised {
  const on = stage();
  const top = on.kernel.spawn(Boss, { args: [{ children: three, handleChildren: true, ...spec }] }) as PID;
  const pid = (name: string): PID => on.kernel.whereIs(name) as PID;
  return {
    ...on,
    boss: bossOf(top),
    pid,
    child: (name) => inside(pid(name)),
    running: () =>
      bossOf(top)
        .children()
        .flatMap((each) => (each.pid === undefined ? [] : [each.spec])),
  };
}
