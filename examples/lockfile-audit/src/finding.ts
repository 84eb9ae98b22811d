// Apart from inspect.ts, so that whoever reports findings does not load what it takes to make them.

export const FINDING_KINDS = ["error", "license", "install_script", "integrity", "engines", "duplicate"] as const;

/** Something that a person should look at. */
export interface Finding {
  readonly kind: (typeof FINDING_KINDS)[number];
  /** The package. */
  readonly name: string;
  /** Empty where the lockfile names none. */
  readonly version: string;
  /** The package's key in the lockfile; empty for a finding about several. */
  readonly path: string;
  /** What was found, in words. */
  readonly text: string;
}

/** `weak_copyleft` for people. */
export function words(kind: string): string {
  return kind.replaceAll("_", " ");
}
