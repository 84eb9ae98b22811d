import type { PID } from "../identity/index.ts";
import type { Logger, LogRecord } from "../log/index.ts";
import type { KernelReport } from "../runtime/tables.ts";

/** A logger that picks what the kernel itself reports. `core` stands for whoever is no process. */
export function asLogger(onReport: (report: KernelReport) => void, core: PID): Logger {
  return ({ report, source, text, error }: LogRecord) => {
    if (report === undefined) return;
    const pid = source.kind === "process" ? source.pid : source.kind === "meta" ? source.parent : core;
    onReport({ kind: report, pid, text, ...(error === undefined ? {} : { error }) });
  };
}
