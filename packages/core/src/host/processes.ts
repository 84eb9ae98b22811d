import { readdir, readFile } from "node:fs/promises";
import { basename } from "node:path";

/** A process of interest. */
export interface ProcessFacts {
  /** The name by which the options ask for it. */
  readonly name: string;
  readonly pid: number;
  /** Time on the processors since its start, in user and in kernel mode. */
  readonly cpuMs: number;
  /** Resident memory. */
  readonly rssBytes: number;
}

/** Ticks in a second of /proc: USER_HZ is 100 on every architecture that Node runs on. @source man 5 proc */
const TICK_MS = 10;
/** The kernel cuts names off here. */
const MAX_COMM = 15;

/** Processes whose program, or whose own name, is one of `names`; in the order of their ids. Empty where there is no /proc. */
export async function processesNamed(names: readonly string[]): Promise<ProcessFacts[]> {
  if (names.length === 0) return [];
  const entries = await readdir("/proc").catch(() => []);
  const pids = entries.filter((entry) => /^\d+$/.test(entry)).map(Number);
  const found = await Promise.all(pids.sort((a, b) => a - b).map((pid) => factsOf(pid, names)));
  return found.filter((one) => one !== undefined);
}

async function factsOf(pid: number, names: readonly string[]): Promise<ProcessFacts | undefined> {
  try {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8");
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const program = basename(command.slice(0, Math.max(0, command.indexOf("\0"))));
    // The name may hold brackets and spaces itself; the last bracket ends it.
    const end = stat.lastIndexOf(")");
    const own = stat.slice(stat.indexOf("(") + 1, end);
    const name = names.find((one) => one === program || one.slice(0, MAX_COMM) === own);
    if (name === undefined) return undefined;
    const fields = stat.slice(end + 2).split(" ");
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    const rss = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? "0";
    return { name, pid, cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS, rssBytes: Number(rss) * 1_024 };
  } catch {
    return undefined; // it has just ended
  }
}
