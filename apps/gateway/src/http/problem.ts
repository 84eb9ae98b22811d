import { randomUUID } from "node:crypto";
import { coreError, errorRow, type MetanodeError } from "@metanode/core";
import { asMetanodeError } from "@metanode/core/internal";
import { z } from "zod";

/** Problem Details as this API answers with. */
export const ProblemSchema = z
  .object({
    type: z.string().describe("Where the code is explained, relative to this API's origin."),
    title: z.string().describe("What the code means."),
    status: z.int(),
    detail: z.string().describe("What happened, what was expected and what to do."),
    code: z.string().describe("The stable code, `area.what`: branch on this."),
    retryable: z.boolean().describe("Whether the same request, sent again unchanged, can succeed."),
    retryAfterMs: z.number().optional().describe("The earliest useful moment for a retry, from now."),
    details: z.record(z.string(), z.unknown()).optional().describe("Facts for programs; `path` says where something is wrong."),
    origin: z.array(z.string()).optional().describe("Where it arose, innermost first."),
    instance: z.string().optional().describe("This occurrence; the logs name it as well."),
  })
  .meta({ id: "Problem", description: "Problem Details (RFC 9457)" });

export type Problem = z.infer<typeof ProblemSchema>;

/** Where the meaning of a code stands. */
export function problemTypeOf(code: string): string {
  return `/api/v1/errors/${code}`;
}

/** The instance of a request: a URI, as RFC 9457 wants it. */
export function instanceOf(requestId: string): string {
  return `urn:uuid:${requestId}`;
}

/** An error as a problem. Never carries a stack, nor the text of an error that is not ours. */
export function toProblem(error: MetanodeError, instance?: string): Problem {
  const row = errorRow(error.code);
  return {
    type: problemTypeOf(error.code),
    title: row.meaning,
    status: row.http,
    detail: error.message,
    code: error.code,
    retryable: error.retryable,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(error.retryAfterMs) }),
    ...(error.details === undefined ? {} : { details: { ...error.details } }),
    ...(error.origin.length === 0 ? {} : { origin: [...error.origin] }),
    ...(instance === undefined ? {} : { instance }),
  };
}

/** What Fastify, or Node's HTTP parser, means by its own codes. */
const FOREIGN = {
  FST_ERR_CTP_BODY_TOO_LARGE: "message.too_large",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "message.content_type",
  FST_ERR_CTP_INVALID_JSON_BODY: "message.invalid",
  FST_ERR_CTP_EMPTY_JSON_BODY: "message.invalid",
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: "message.invalid",
  FST_ERR_BAD_URL: "usage.invalid",
  FST_ERR_MAX_PARAM_LENGTH: "usage.invalid",
  FST_ERR_ROUTE_MISSING_CONTENT_TYPE: "message.content_type",
} as const;

interface ValidationIssue {
  readonly instancePath?: string;
  readonly message?: string;
}

/**
 * What to answer for any thrown value. A defect becomes `core.internal` with an `errorId`, and `onDefect` is told of it
 * with everything that the caller must not see.
 */
export function toKnownError(error: unknown, onDefect: (errorId: string, error: unknown) => void): MetanodeError {
  const { code, validation, validationContext, message } = (error ?? {}) as {
    code?: unknown;
    validation?: readonly ValidationIssue[];
    validationContext?: string;
    message?: string;
  };
  if (Array.isArray(validation)) return invalidRequest(validation, validationContext ?? "request");
  const known = typeof code === "string" ? FOREIGN[code as keyof typeof FOREIGN] : undefined;
  if (known !== undefined) return coreError(known, message ?? "the request is malformed", { details: { path: "" } });
  const ours = asMetanodeError(error);
  if (ours.code !== "core.internal") return ours;
  const errorId = typeof ours.details?.errorId === "string" ? ours.details.errorId : randomUUID();
  onDefect(errorId, error);
  return coreError("core.internal", `something went wrong in the node itself; its log tells more under errorId ${errorId}`, {
    details: { errorId },
  });
}

function invalidRequest(issues: readonly ValidationIssue[], context: string): MetanodeError {
  const where = context === "querystring" ? "query" : context;
  const pathOf = (issue: ValidationIssue | undefined): string => `/${where}${issue?.instancePath ?? ""}`.replace(/\/$/, "");
  const [first] = issues;
  const path = pathOf(first);
  return coreError("usage.invalid", `${path.slice(1).replaceAll("/", ".")} is wrong: ${first?.message ?? "it does not fit"}`, {
    details: { path, issues: issues.map((one) => ({ path: pathOf(one), message: one.message })) },
  });
}
