/** `fail` is wrong and makes the doctor end with status 1; `warn` needs attention; `info` is only said. */
export type Verdict = "ok" | "info" | "warn" | "fail";

/** What one check came to. */
export interface Finding {
  readonly check: string;
  readonly status: Verdict;
  /** What was found. */
  readonly found: string;
  /** What to do about it. */
  readonly advice?: string;
}

/** All is well. */
export function ok(check: string, found: string): Finding {
  return { check, status: "ok", found };
}

/** Good to know, neither right nor wrong. */
export function info(check: string, found: string): Finding {
  return { check, status: "info", found };
}

/** Works, but needs attention. */
export function warn(check: string, found: string, advice: string): Finding {
  return { check, status: "warn", found, advice };
}

/** Wrong: the doctor ends with status 1. */
export function fail(check: string, found: string, advice: string): Finding {
  return { check, status: "fail", found, advice };
}
