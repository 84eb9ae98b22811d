import type { MetaNode } from "@metanode/core";
import type { Finding } from "./finding.ts";
import type { Inspection } from "./inspect.ts";

/** What is known so far. */
export interface Totals {
  readonly file: string;
  /** Packages of the lockfile. */
  readonly packages: number;
  readonly inspected: number;
  /** Of these, those that could not be inspected. */
  readonly errors: number;
  readonly licenses: Readonly<Record<string, number>>;
  readonly integrity: Readonly<Record<string, number>>;
  readonly findings: Readonly<Record<string, number>>;
}

/** What the tally hears of an audit. */
export type News =
  | { readonly type: "audit.begun"; readonly data?: Pick<Totals, "file" | "packages"> }
  | { readonly type: "audit.inspected"; readonly data?: Inspection | Finding };

/** Tells the tally of an audit. A tally that is down hears nothing, and the audit goes on. */
export function tellTotals(node: MetaNode, news: News): void {
  try {
    node.cast(news);
  } catch {
    // Whoever asks for the totals is told that they are down.
  }
}
