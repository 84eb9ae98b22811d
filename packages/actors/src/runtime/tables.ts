import { type Clock, DeadlineQueue, type Timer } from "@metanode/core/clock";
import type { EventEntry } from "../events/event.ts";
import { type Address, Alias, EventName, isPanic, PID, ProcessName, type Reason, Ref } from "../identity/index.ts";
import { Log, Logging, type LogLevel, type LogSource, type LogSubject, type RecordLevel, type ReportKind } from "../log/index.ts";
import type { Heritage } from "../process/heritage.ts";
import type { Waiter } from "../process/pending.ts";
import type { Process } from "../process/process.ts";
import { Scheduler } from "../process/scheduler.ts";
import type { Consumer, WatchList } from "../relations/watch-list.ts";
import type { Network } from "./network.ts";

/** The first id of a process; 1 is the kernel itself. */
const FIRST_PROCESS = 1_001;

/** A registered name or an alias, and who watches it. */
export interface Entry<A> {
  readonly address: A;
  readonly process: Process;
  watchers: WatchList | undefined;
}

/** Something for people to see: a message that nobody handled, an end by a panic. */
export interface KernelReport {
  readonly kind: ReportKind;
  readonly pid: PID;
  readonly text: string;
  readonly error?: unknown;
}

/** The same, from where it comes up. `by` names who is no longer in the tables, or a meta-process. @default the process of the PID */
export interface Report extends KernelReport {
  readonly by?: LogSubject;
}

const REPORT_LEVEL: Readonly<Record<ReportKind, RecordLevel>> = {
  unhandled: "warning",
  ended: "error",
  terminate_failed: "panic",
  stop_waits: "info",
  stop_late: "warning",
  meta: "error",
  meta_leaked: "warning",
  node_up: "info",
  node_down: "warning",
  undelivered: "warning",
};

/** What the kernel knows: every process, name, alias and event. Only this object makes ids; none is given twice. */
export class Tables {
  readonly node: string;
  readonly creation: number;
  readonly startMs: number;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly deadlines: DeadlineQueue;
  readonly processes = new Map<number, Process>();
  readonly names = new Map<string, Entry<ProcessName>>();
  readonly aliases = new Map<number, Entry<Alias>>();
  readonly events = new Map<string, EventEntry<Consumer, Process>>();
  /** Mail and signals that wait for their time. */
  readonly timers = new Set<Timer>();
  /** Meta-processes whose main activity has not come back. */
  readonly metas = new Set<Process>();
  /** The kernel as a sender, parent and leader. */
  readonly core: PID;
  /** Whoever calls from outside of a process. */
  readonly outside: Waiter = { pending: undefined };
  readonly logging: Logging;
  /** The kernel as one that logs. */
  readonly subject: LogSubject;
  /** What processes of the kernel begin with. */
  heritage: Heritage<Process> = { env: undefined, logLevel: "info", application: undefined };
  /** Processes whose `terminate` still runs. */
  terminating = 0;
  state: "running" | "stopping" | "stopped" = "running";
  /** What reaches other nodes. */
  network: Network | undefined = undefined;
  /** Called when a process has gone entirely. */
  onGone: (() => void) | undefined = undefined;
  #nextProcess = FIRST_PROCESS;
  #nextRef = 1;

  constructor(node: string, clock: Clock) {
    this.node = node;
    this.clock = clock;
    this.subject = new KernelSubject(this);
    this.logging = new Logging(() => clock.now(), this.subject.logSource);
    this.startMs = clock.now();
    this.creation = Math.floor(this.startMs / 1_000);
    this.scheduler = new Scheduler(clock);
    this.deadlines = new DeadlineQueue(clock);
    this.core = new PID(node, 1, this.creation);
  }

  /** Logs what people should see. */
  report({ kind, pid, text, error, by }: Report): void {
    const level = kind === "ended" && isPanic(error as Reason) ? "panic" : REPORT_LEVEL[kind];
    new Log(this.logging, by ?? this.byPid(pid) ?? this.subject).write(level, text, { error }, kind);
  }

  makePid(): PID {
    return new PID(this.node, this.#nextProcess++, this.creation);
  }

  makeRef(deadlineMs = 0): Ref {
    return new Ref(this.node, this.#nextRef++, this.creation, deadlineMs);
  }

  makeAlias(): Alias {
    return new Alias(this.node, this.#nextRef++, this.creation);
  }

  /** The live process behind a PID. */
  byPid(pid: PID<never, never>): Process | undefined {
    const local = PID.local(pid);
    if (local !== undefined && pid.node === this.node) return local as Process;
    if (pid.node !== this.node || pid.creation !== this.creation) return undefined;
    return this.processes.get(pid.id);
  }

  /** The live process behind any address. */
  find(to: Address): Process | undefined {
    if (to instanceof PID) return this.byPid(to);
    if (typeof to === "string") return this.names.get(to)?.process;
    if (to instanceof ProcessName) return this.isHere(to.node) ? this.names.get(to.name)?.process : undefined;
    return to instanceof Alias ? this.entryOfAlias(to)?.process : undefined;
  }

  entryOfAlias(alias: Alias<never, never>): Entry<Alias> | undefined {
    return alias.creation === this.creation && alias.node === this.node ? this.aliases.get(alias.id) : undefined;
  }

  /** Whether a node's name means this kernel. */
  isHere(node: string): boolean {
    return node === "" || node === this.node;
  }

  /** What reaches the node of an address that is not this one; undefined = the address is of this node. */
  elsewhere(to: Address | EventName): Network | undefined {
    const isAddress = to instanceof PID || to instanceof ProcessName || to instanceof Alias || to instanceof EventName;
    return isAddress && !this.isHere(to.node) ? this.network : undefined;
  }
}

class KernelSubject implements LogSubject {
  readonly #tables: Tables;
  readonly logSource: LogSource;
  logger: string | undefined = undefined;

  constructor(tables: Tables) {
    this.#tables = tables;
    this.logSource = { kind: "kernel", node: tables.node };
  }

  get logLevel(): LogLevel {
    return this.#tables.heritage.logLevel;
  }

  set logLevel(logLevel: LogLevel) {
    this.#tables.heritage = { ...this.#tables.heritage, logLevel };
  }
}
