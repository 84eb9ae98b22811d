import { coreError } from "../errors.ts";
import type { LogItem } from "./lines.ts";
import type { HostUnit } from "./options.ts";
import type { Systemd, UnitAction } from "./systemd.ts";
import { Unit, type UnitMeans, type UnitStatus } from "./unit.ts";

/** How to read a log: the last `lines`, and with `follow` what comes. */
export interface LogRange {
  readonly lines: number;
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/** The units of a host: those that the options declare come first, then those of its systemd. */
export class Units {
  readonly #declared: ReadonlyMap<string, Unit>;
  readonly #autostart: readonly Unit[];
  readonly #systemd: Systemd | undefined;

  constructor(specs: readonly Required<HostUnit>[], means: UnitMeans, systemd: Systemd | undefined) {
    this.#declared = new Map(specs.map((spec) => [spec.name, new Unit(spec, means)]));
    this.#autostart = specs.filter(({ autostart }) => autostart).map(({ name }) => this.#declared.get(name) as Unit);
    this.#systemd = systemd;
  }

  /** @throws {MetanodeError} resource.not_found, call.unsupported – the host has no units, processor.start, processor.failed */
  async act(name: string, action: UnitAction): Promise<UnitStatus> {
    const unit = this.#declared.get(name);
    if (unit === undefined) return this.#ofHost(name).act(name, action);
    if (action !== "status") await unit[action]();
    return unit.status;
  }

  /** @throws {MetanodeError} as {@link act} */
  log(name: string, range: LogRange): AsyncIterable<LogItem> {
    const unit = this.#declared.get(name);
    if (unit === undefined) return this.#ofHost(name).log(name, range);
    return range.follow ? unit.output.follow(range.lines, range.signal) : once(unit.output.last(range.lines));
  }

  /** Starts what is to run from the beginning; one that does not start is told of by {@link statuses}. */
  async startAll(): Promise<void> {
    await Promise.allSettled(this.#autostart.map((unit) => unit.start()));
  }

  statuses(): UnitStatus[] {
    return [...this.#declared.values()].map(({ status }) => status);
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#declared.values()].map((unit) => unit.stop()));
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#declared.values()].map((unit) => unit.kill()));
  }

  #ofHost(name: string): Systemd {
    if (this.#systemd !== undefined) return this.#systemd;
    if (this.#declared.size === 0) {
      throw coreError(
        "call.unsupported",
        "this host has no units: systemd does not run, and the host control of the node declares none",
      );
    }
    throw coreError("resource.not_found", `there is no unit ${name}; declared are ${[...this.#declared.keys()].join(", ")}`);
  }
}

async function* once(lines: readonly string[]): AsyncGenerator<LogItem> {
  if (lines.length > 0) yield { lines };
}
