/** Something for people to see. */
export interface EngineReport {
  readonly kind: "failed" | "retry" | "relation" | "lease" | "store";
  readonly text: string;
  readonly error?: unknown;
}
