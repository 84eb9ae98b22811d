import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

/** A process that is not mistaken for a later one of the same number. */
export interface ProcessMark {
  readonly pid: number;
  /** When it was started, as the system says it; compared as a text. */
  readonly started: string;
}

/** Marks a process that runs now; undefined where none does. */
export async function markOf(pid: number): Promise<ProcessMark | undefined> {
  const started = process.platform === "linux" ? await startOnLinux(pid) : await startByPs(pid);
  return started === undefined ? undefined : { pid, started };
}

/** Whether that very process still runs. */
export async function runs(mark: ProcessMark): Promise<boolean> {
  return (await markOf(mark.pid))?.started === mark.started;
}

/** Ticks since the boot, and the boot: after another one the same number of ticks means nothing. @source proc_pid_stat(5) */
async function startOnLinux(pid: number): Promise<string | undefined> {
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, "utf8"),
      readFile("/proc/sys/kernel/random/boot_id", "utf8"),
    ]);
    // The name of the program comes second, in parentheses, and may itself hold some.
    const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" || state === "X" ? undefined : `${boot.trim()}/${rest[18]}`;
  } catch {
    return undefined; // there is no such process
  }
}

async function startByPs(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)("ps", ["-o", "lstart=", "-p", String(pid)], {
      env: { ...process.env, LC_ALL: "C" },
    });
    return stdout.trim() || undefined;
  } catch {
    return undefined;
  }
}
