import { type ConvertRequest, type ConvertResult, defineFlow, type InstanceInput, meta } from "@metanode/nature";
import type { Finding } from "./finding.ts";
import type { Inspection } from "./inspect.ts";

/** Where a package stands. */
export type PackageState = "found" | "approved" | "flagged" | "reviewed";

/** What is kept of a package: as much as decides where it stands. */
export interface PackageFacts {
  readonly name: string;
  readonly version: string;
  /** What was found, in words. */
  readonly findings: readonly string[];
}

/** Of a name or a finding no more is kept; a lockfile may hold megabytes where a word should be. */
const MAX_LENGTH = 500;

/**
 * What becomes of the packages: one without findings is approved, one with findings is flagged, until somebody has reviewed it. Each step is a
 * further version of the package, and stays.
 */
export const packageFlow = defineFlow({
  metas: {
    package: meta("B:audit/package:1", { states: "found|approved|flagged|reviewed" }),
    review: meta("B:audit/review:1"),
  },
  executors: { judge, review },
  relations: (relate) => [
    relate("package", "package", {
      description: "a package is judged by its findings",
      selector: { states: { all: ["found"] } },
      executor: "judge",
      useUpstreamId: true,
    }),
    relate("review", "package", {
      description: "a review is the end of what is flagged",
      downSelector: { all: ["flagged"] },
      executor: "review",
    }),
  ],
});

function judge({ from: { content } }: ConvertRequest): ConvertResult {
  const { findings } = JSON.parse(content) as PackageFacts;
  return { type: "instances", instances: [{ content, states: [findings.length === 0 ? "approved" : "flagged"] }] };
}

function review({ last }: ConvertRequest): ConvertResult {
  return { type: "instances", instances: [{ content: last?.content ?? "", states: ["reviewed"] }] };
}

/**
 * A package as it is put in. It has no id: the engine makes one of what is known of the package, so the same package with the same findings is
 * the same instance, today and in the next audit, and one with other findings is judged anew.
 */
export function packageInput(outcome: Inspection | Finding): InstanceInput {
  const facts: PackageFacts = {
    name: cut(outcome.name),
    version: cut(outcome.version),
    findings: ("license" in outcome ? outcome.findings : [outcome]).map(({ kind, text }) => cut(`${kind}: ${text}`)),
  };
  return { meta: packageFlow.names.package, version: 1, states: ["found"], content: JSON.stringify(facts) };
}

/** That somebody has looked at a package and found it good enough. */
export function reviewInput(packageId: string): InstanceInput {
  return { meta: packageFlow.names.review, sysContext: { "target.id": packageId } };
}

function cut(text: string): string {
  return text.slice(0, MAX_LENGTH);
}
