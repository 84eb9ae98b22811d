import type { IncomingMessage, ServerResponse } from "node:http";
import { errorRow, type MetanodeError } from "@metanode/core/errors";
import { STATUS_CODES } from "@metanode/core/internal/http";

/**
 * Answers a request that no worker answers: writes status, headers and body, and ends the response before it returns.
 * What it leaves unwritten gets the status of the error: 503 while the handler is not there, 502 when the worker is not, 504
 * when it did not finish in time.
 */
export type Refusal = (error: MetanodeError, request: IncomingMessage, response: ServerResponse) => void;

/** One request to be refused. */
export interface Refused {
  readonly error: MetanodeError;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly refusal: Refusal | undefined;
  report(text: string, error?: unknown): void;
}

/** Answers with an error; a response that has begun is cut off, so that nobody takes a part for the whole. */
export function refuse({ error, request, response, refusal, report }: Refused): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  try {
    refusal?.(error, request, response);
  } catch (thrown) {
    report("the refusal of a request threw", thrown);
  }
  if (!response.headersSent && !response.writableEnded) {
    answerStatus(response, errorRow(error.code).http);
  } else if (!response.writableEnded) response.end();
}

/** Answers with a status and its name. */
export function answerStatus(response: ServerResponse, status: number, headers: Readonly<Record<string, string>> = {}): void {
  const body = `${STATUS_CODES[status] ?? "Error"}\n`;
  const length = Buffer.byteLength(body);
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", "content-length": length, ...headers });
  response.end(body);
}
