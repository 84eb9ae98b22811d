import type { ActorErrorCode } from "@metanode/actors";
import { errorRow } from "@metanode/core";
import type { CoreErrorCode } from "@metanode/core/internal";
import type { NatureErrorCode } from "@metanode/nature/errors";
import type { StreamErrorCode } from "@metanode/streaming/errors";
import { z } from "zod";
import { PROBLEM_TYPE } from "./names.ts";
import { ProblemSchema } from "./problem.ts";

interface Documented {
  readonly description: string;
  readonly content: Record<string, { schema: z.ZodType }>;
}

/** The codes that any route of `/api` can answer with. */
const COMMON: readonly CoreErrorCode[] = ["auth.unauthenticated", "node.closed", "core.internal"];

/** The problems of a route for its documentation, by status: each names its codes. */
export function problems(
  ...codes: readonly (CoreErrorCode | ActorErrorCode | NatureErrorCode | StreamErrorCode)[]
): Record<number, Documented> {
  const byStatus = new Map<number, string[]>();
  for (const code of new Set([...codes, ...COMMON])) {
    const { http } = errorRow(code);
    byStatus.set(http, [...(byStatus.get(http) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, names]) => [
      status,
      { description: names.join(", "), content: { [PROBLEM_TYPE]: { schema: ProblemSchema } } },
    ]),
  );
}

/** A JSON answer for the documentation. */
export function answer(description: string, schema: z.ZodType): Documented {
  return { description, content: { "application/json": { schema } } };
}

/** An answer without a body, for the documentation. */
export function nothing(description: string): z.ZodType {
  return z.undefined().describe(description);
}
