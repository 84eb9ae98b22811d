import { asMetanodeError } from "@metanode/core/internal";
import type { GraphIssue } from "../../src/index.ts";

/** The code and the issues of what a call throws. */
export function thrownBy(call: () => unknown): { code: string; message: string; issues: readonly GraphIssue[] } {
  try {
    call();
  } catch (error) {
    const { code, message, details } = asMetanodeError(error);
    return { code, message, issues: (details?.issues ?? []) as readonly GraphIssue[] };
  }
  throw new Error("nothing was thrown");
}

/** The kind and place of every issue that a call throws. */
export function issuesOf(call: () => unknown): string[] {
  return thrownBy(call).issues.map(({ kind, path, node }) => [kind, path ?? node].join(" "));
}
