import { Actor, type ApplicationSpec, type Ended, type LogRecord, type PID, type Reason } from "../../src/index.ts";
import { type Stage, stage } from "../probe.ts";

/** A kernel whose log is kept. */
export function logged(): Stage & { records: LogRecord[] } {
  const set = stage();
  const records: LogRecord[] = [];
  set.kernel.log.addLogger("test", (record) => records.push(record));
  return { ...set, records };
}

/** What a member does besides living. */
export interface Part {
  readonly label: string;
  /** Where it writes down that it begins and ends. */
  readonly steps: string[];
  readonly fails?: Error;
  /** Its `terminate` waits for it. */
  readonly hold?: Promise<void>;
  /** Runs in its `init`. */
  readonly begin?: (member: Member) => unknown;
}

/** A member that writes its life down; a function that it is sent runs inside of it. */
export class Member extends Actor<(member: Member) => unknown> {
  #part!: Part;

  override init(part: Part): unknown {
    this.#part = part;
    part.steps.push(`${part.label} begins`);
    if (part.fails !== undefined) throw part.fails;
    return part.begin?.(this);
  }

  override handleMessage(_from: PID, act: (member: Member) => unknown): Ended {
    return act(this) as Ended;
  }

  override async terminate(): Promise<void> {
    await this.#part.hold;
    this.#part.steps.push(`${this.#part.label} ends`);
  }
}

/** An application whose callbacks write themselves down. */
export function written(name: string, steps: string[], rest: Partial<ApplicationSpec> = {}): ApplicationSpec {
  const note = (what: string) => (_context: unknown, reason?: Reason) => {
    const why = reason === undefined ? "" : ` ${reason instanceof Error ? reason.message : reason}`;
    steps.push(`${name} ${what}${why}`);
  };
  return {
    name,
    group: [{ actor: Member, args: [{ label: `${name}.a`, steps }] }],
    init: note("init"),
    start: note("start"),
    stop: note("stop"),
    terminate: note("terminate"),
    ...rest,
  };
}
