import type { Clock, Timer } from "../clock.ts";
import { asMetanodeError } from "../errors.ts";
import { LineRing, Lines } from "./lines.ts";
import type { HostUnit } from "./options.ts";
import { type Exit, environmentOf, launch, type ProcessGroup } from "./process-group.ts";
import { programOf } from "./target.ts";

/*
 * U1. At most one group of a unit lives at a time.
 * U2. What is asked of a unit is done in the order of asking.
 * U3. A unit that was stopped stays so; one that ended by itself is started again as `restart` says, later each time.
 */

/** `backoff` waits to be started again; `failed` has ended and stays so. */
export type UnitState = "running" | "stopping" | "stopped" | "backoff" | "failed" | "starting";

/** How a unit does. */
export interface UnitStatus {
  readonly unit: string;
  /** Who looks after it: this module, or the systemd of the host. */
  readonly manager: "node" | "systemd";
  readonly state: UnitState;
  readonly pid?: number;
  /** How often it was started again by itself. */
  readonly restarts: number;
  /** How it ended last; where the node looks after it. */
  readonly exit?: Exit;
  /** Why it could not be started. */
  readonly problem?: string;
}

/** What a unit stands on. */
export interface UnitMeans {
  readonly clock: Clock;
  readonly onEvent: (unit: string, event: "started" | "stopped" | "crashed") => void;
}

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 30_000;
/** A unit that ran for so long is taken to be well. */
const WELL_AFTER_MS = 10_000;

/** A program that the node keeps running. */
export class Unit {
  readonly output = new LineRing();
  readonly #spec: Required<HostUnit>;
  readonly #means: UnitMeans;
  #state: UnitState = "stopped";
  #group: ProcessGroup | undefined;
  #exit: Exit | undefined;
  #problem: string | undefined;
  #restarts = 0;
  #backoffMs = FIRST_BACKOFF_MS;
  #startedMs = 0;
  #timer: Timer | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(spec: Required<HostUnit>, means: UnitMeans) {
    this.#spec = spec;
    this.#means = means;
  }

  get status(): UnitStatus {
    const pid = this.#group?.pid;
    return {
      unit: this.#spec.name,
      manager: "node",
      state: this.#state,
      restarts: this.#restarts,
      ...(pid === undefined ? {} : { pid }),
      ...(this.#exit === undefined ? {} : { exit: this.#exit }),
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }

  /** Does nothing where it runs. @throws {MetanodeError} processor.start */
  start(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#group !== undefined) return;
      this.#backoffMs = FIRST_BACKOFF_MS;
      await this.#launch();
    });
  }

  /** Resolves when nobody of its group lives. */
  stop(): Promise<void> {
    return this.#inTurn(() => this.#end((group) => group.end()));
  }

  restart(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#end((group) => group.end());
      this.#backoffMs = FIRST_BACKOFF_MS;
      await this.#launch();
    });
  }

  /** Ends it without asking, whatever it is doing. */
  kill(): Promise<void> {
    if (this.#group !== undefined) this.#state = "stopping";
    this.#group?.kill();
    return this.#inTurn(() => this.#end((group) => group.kill()));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #end(how: (group: ProcessGroup) => void): Promise<void> {
    this.#timer?.cancel();
    const group = this.#group;
    if (group === undefined) {
      this.#state = "stopped";
      return;
    }
    this.#state = "stopping";
    how(group);
    await group.gone;
  }

  async #launch(): Promise<void> {
    this.#timer?.cancel();
    const { name, command, cwd, env, graceMs } = this.#spec;
    const { clock, onEvent } = this.#means;
    try {
      this.#state = "starting";
      const [program = "", ...args] = command;
      const { file = program } = await programOf(program, cwd);
      const group = await launch({ file, args, cwd, env: environmentOf(env), graceMs, clock });
      this.#group = group;
      this.#state = "running";
      this.#problem = undefined;
      this.#startedMs = clock.now();
      for (const pipe of [group.stdout, group.stderr]) capture(pipe, this.output);
      void group.gone.then((exit) => this.#ended(exit));
      onEvent(name, "started");
    } catch (error) {
      this.#state = "failed";
      this.#problem = asMetanodeError(error).message;
      throw error;
    }
  }

  #ended(exit: Exit): void {
    const { name, restart } = this.#spec;
    const { clock, onEvent } = this.#means;
    this.#group = undefined;
    this.#exit = exit;
    const isWell = exit.code === 0;
    const wasAsked = this.#state === "stopping";
    onEvent(name, wasAsked || isWell ? "stopped" : "crashed");
    if (wasAsked || restart === "never" || (restart === "on-failure" && isWell)) {
      this.#state = wasAsked || isWell ? "stopped" : "failed";
      return;
    }
    if (clock.now() - this.#startedMs >= WELL_AFTER_MS) this.#backoffMs = FIRST_BACKOFF_MS;
    this.#again();
  }

  #again(): void {
    this.#state = "backoff";
    this.#timer = this.#means.clock.setTimer(this.#backoffMs, () => {
      void this.#inTurn(async () => {
        // Meanwhile somebody may have stopped or started it.
        if (this.#state !== "backoff") return;
        this.#restarts++;
        await this.#launch().catch(() => this.#again());
      });
    });
    this.#backoffMs = Math.min(MAX_BACKOFF_MS, this.#backoffMs * 2);
  }
}

function capture(pipe: NodeJS.ReadableStream, output: LineRing): void {
  const lines = new Lines();
  pipe.on("data", (bytes: Uint8Array) => {
    for (const line of lines.push(bytes)) output.add(line);
  });
  pipe.on("close", () => {
    for (const line of lines.end()) output.add(line);
  });
  pipe.on("error", () => undefined);
}
