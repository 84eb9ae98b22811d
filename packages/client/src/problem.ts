import type { components } from "./generated/api.ts";

/** What an error answer of the node says: Problem Details (RFC 9457) with the stable code. */
export type Problem = components["schemas"]["Problem"];

/** An answer that is an error, or no answer at all (`status` 0, code `node.unreachable`). */
export class ApiError extends Error {
  readonly code: string;
  readonly status: number;
  /** Whether the same request may succeed later. */
  readonly isRetryable: boolean;
  readonly problem: Problem | undefined;

  constructor(code: string, message: string, status: number, problem?: Problem, options?: ErrorOptions) {
    super(message, options);
    this.name = "ApiError";
    this.code = code;
    this.status = status;
    this.isRetryable = problem?.retryable ?? status === 0;
    this.problem = problem;
  }
}

/** The error in a failed answer. A body that is no problem (a proxy's page) is told as it came, shortened. */
export function errorOf(response: Response, body: unknown): ApiError {
  if (isProblem(body)) return new ApiError(body.code, body.detail, response.status, body);
  const text = typeof body === "string" ? body : JSON.stringify(body ?? "");
  const what = `the answer has status ${response.status} and says: ${text.slice(0, 200)}`;
  return new ApiError("core.internal", what, response.status);
}

/** The error of a request that got no answer. */
export function unreachable(url: string, cause: unknown): ApiError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ApiError("node.unreachable", `no answer from ${url}: ${why}`, 0, undefined, { cause });
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "code" in body && "detail" in body;
}
