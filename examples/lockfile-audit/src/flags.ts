import { availableParallelism } from "node:os";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { coreError, type MetanodeError } from "@metanode/core";

/** What the command line asks for. */
export interface Flags {
  readonly lockfile: string;
  /** The data folder of the node. */
  readonly data: string;
  /** Undefined: the usual one, or a free one where that is taken. */
  readonly port: number | undefined;
  /** Where the running totals are served; 0: any free port. */
  readonly totalsPort: number;
  readonly processes: number;
  /** Packages that somebody has reviewed, as `name@version`. */
  readonly reviewed: readonly string[];
  readonly isOnce: boolean;
  readonly isJson: boolean;
  readonly isHelp: boolean;
}

/** The lockfile of the repository that this example is part of. */
export const OWN_LOCKFILE = fileURLToPath(new URL("../../../package-lock.json", import.meta.url));
export const DEFAULT_DATA = ".metanode";
const MAX_PROCESSES = 64;

export const USAGE = `Audits a package-lock.json: brings up a node and sends one message per package to a pool of processes.

usage: npm start -- [options] [package-lock.json]

  package-lock.json  what to audit; without it, this repository's own
  --once             stop the node after the audit
  --json             print the audit as JSON
  --processes N      processes that inspect, 1 to ${MAX_PROCESSES} (default: as many as processors, at least 2)
  --port N           where the node listens; 0 for any free port (default: 7400, or a free one if that is taken)
  --totals-port N    where the running totals are served (default: any free port)
  --reviewed PACKAGE a flagged package that somebody has looked at, as name@version; can be given several times
  --data FOLDER      data folder of the node (default: ${DEFAULT_DATA})
  --help             print this

example: npm start -- --once --json ../shop/package-lock.json
`;

/** Reads the command line. @throws {MetanodeError} usage.invalid – naming what is wrong */
export function parseFlags(args: readonly string[]): Flags {
  const { values, positionals } = parse(args);
  if (positionals.length > 1) throw wrong(`found ${positionals.length} lockfiles (${positionals.join(", ")}), expected one`);
  return {
    lockfile: positionals[0] ?? relative(process.cwd(), OWN_LOCKFILE),
    data: values.data ?? DEFAULT_DATA,
    port: values.port === undefined ? undefined : whole("--port", values.port, [0, 65_535]),
    totalsPort: values["totals-port"] === undefined ? 0 : whole("--totals-port", values["totals-port"], [0, 65_535]),
    processes:
      values.processes === undefined
        ? Math.min(MAX_PROCESSES, Math.max(2, availableParallelism()))
        : whole("--processes", values.processes, [1, MAX_PROCESSES]),
    reviewed: (values.reviewed ?? []).map(packageName),
    isOnce: values.once ?? false,
    isJson: values.json ?? false,
    isHelp: values.help ?? false,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        once: { type: "boolean" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
        data: { type: "string" },
        port: { type: "string" },
        "totals-port": { type: "string" },
        processes: { type: "string" },
        reviewed: { type: "string", multiple: true },
      },
    });
  } catch (cause) {
    throw wrong((cause as Error).message, cause);
  }
}

function whole(flag: string, text: string, [min, max]: readonly [number, number]): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw wrong(`${flag} is ${JSON.stringify(text)}, expected a whole number from ${min} to ${max}`);
}

/** `name@version`, where a name may begin with `@`. */
function packageName(text: string): string {
  if (text.lastIndexOf("@") > 0 && !text.endsWith("@")) return text;
  throw wrong(`--reviewed is ${JSON.stringify(text)}, expected name@version`);
}

function wrong(found: string, cause?: unknown): MetanodeError {
  return coreError("usage.invalid", `${found}; see --help`, cause === undefined ? {} : { cause });
}
