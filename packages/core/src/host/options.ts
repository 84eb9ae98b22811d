import { coreError } from "../errors.ts";
import { intWithin, rejectUnknownKeys, textOf } from "../options.ts";
import type { HostAttempt } from "./gate.ts";
import { type HostRule, Rules } from "./rules.ts";

/** A program that host control starts, stops and keeps running. */
export interface HostUnit {
  readonly name: string;
  /** The program and its arguments; no shell reads them. */
  readonly command: readonly string[];
  /** @default the working folder of the node */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What is done when it ends by itself. `on-failure`: with anything but exit code 0. @default "on-failure" */
  readonly restart?: "always" | "on-failure" | "never";
  /** Start it with the node. @default false */
  readonly autostart?: boolean;
  /** From SIGTERM to SIGKILL. @default 5_000 */
  readonly graceMs?: number;
}

/** What a node lets others do with its host. */
export interface HostControlOptions {
  /** Who may do what; the first that fits decides, and what none allows is denied, facts alone excepted. @default [] */
  readonly rules?: readonly HostRule[];
  /** Told of every attempt, allowed or denied, when it is over. The node's log tells of it as well. Must not throw. */
  readonly audit?: (attempt: HostAttempt) => void;
  /** Names of programs whose processes are among the facts. */
  readonly processes?: readonly string[];
  readonly units?: readonly HostUnit[];
  /** Programs that exec runs at a time; one more is refused with `call.resource_exhausted`. @default 64 */
  readonly maxPrograms?: number;
  /** The folder that is there where systemd runs. @default "/run/systemd/system" */
  readonly systemdFolder?: string;
}

/** {@link HostControlOptions}, checked and filled in. */
export interface ResolvedHostControl {
  readonly rules: Rules;
  readonly audit: ((attempt: HostAttempt) => void) | undefined;
  readonly processes: readonly string[];
  readonly units: readonly Required<HostUnit>[];
  readonly maxPrograms: number;
  readonly systemdFolder: string;
}

/** There where systemd runs. @source sd_booted(3) */
const SYSTEMD_FOLDER = "/run/systemd/system";

const KEYS = ["rules", "audit", "processes", "units", "maxPrograms", "systemdFolder"];

/** What a name of a unit is made of, of ours and of systemd's. */
export const UNIT_NAME = "^[A-Za-z0-9:_.@\\\\][A-Za-z0-9:_.@\\\\-]{0,254}$";

/** @throws {MetanodeError} config.invalid – with the path of what is wrong */
export function resolveHostControl(given: HostControlOptions): ResolvedHostControl {
  rejectUnknownKeys("", given, KEYS);
  const { rules = [], audit, processes = [], units = [], maxPrograms = 64, systemdFolder = SYSTEMD_FOLDER } = given;
  if (audit !== undefined && typeof audit !== "function") throw wrong("audit", "a function");
  const resolved = listOf("units", units).map((unit, index) => resolveUnit(unit, `units[${index}]`));
  const names = resolved.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw wrong("units", `each name once, and ${twice} is there twice`);
  return Object.freeze({
    rules: new Rules(listOf("rules", rules)),
    audit,
    processes: listOf("processes", processes).map((name, index) => textOf(`processes[${index}]`, name)),
    units: resolved,
    maxPrograms: intWithin("maxPrograms", maxPrograms, 1),
    systemdFolder: textOf("systemdFolder", systemdFolder),
  });
}

function resolveUnit(unit: HostUnit, path: string): Required<HostUnit> {
  rejectUnknownKeys(path, unit, ["name", "command", "cwd", "env", "restart", "autostart", "graceMs"]);
  const { name, command, cwd, env = {}, restart = "on-failure", autostart = false, graceMs = 5_000 } = unit;
  if (!new RegExp(UNIT_NAME).test(textOf(`${path}.name`, name))) throw wrong(`${path}.name`, "letters, digits and :_.@-");
  if (listOf(`${path}.command`, command).length === 0) throw wrong(`${path}.command`, "a program and its arguments");
  if (!["always", "on-failure", "never"].includes(restart)) throw wrong(`${path}.restart`, "always, on-failure or never");
  const words = command.map((word) => (typeof word === "string" ? word : ""));
  textOf(`${path}.command[0]`, words[0]);
  return Object.freeze({
    name,
    command: words,
    cwd: cwd === undefined ? process.cwd() : textOf(`${path}.cwd`, cwd),
    env: { ...env },
    restart,
    autostart: autostart === true,
    graceMs: intWithin(`${path}.graceMs`, graceMs, 0),
  });
}

function listOf<T>(path: string, value: readonly T[]): readonly T[] {
  if (Array.isArray(value)) return value;
  throw wrong(path, "a list");
}

function wrong(path: string, expected: string): Error {
  return coreError("config.invalid", `${path} is wrong, expected ${expected}`, { details: { path, expected } });
}
