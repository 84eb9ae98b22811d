import type { Socket } from "node:net";
import { coreError, type MetanodeError } from "@metanode/core";
import { STATUS_CODES } from "@metanode/core/internal/http";
import { toProblem } from "./problem.ts";

/** Longest request line and headers together, in bytes: the longest path and selector in a query, every character encoded, and a token. */
export const MAX_HEADER_BYTES = 80 * 1_024;

function problemOf({ code, message }: NodeJS.ErrnoException): MetanodeError {
  if (code === "HPE_HEADER_OVERFLOW") {
    return coreError(
      "message.too_large",
      `address and headers are longer than ${MAX_HEADER_BYTES} bytes; send long values in a body`,
    );
  }
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return coreError("message.invalid", "the request did not come in time; send it at once");
  return coreError("message.invalid", `this is no HTTP request: ${message}`);
}

/** Answers what never became a request, in the form of all other answers, and ends the connection. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  if (!socket.writable) {
    socket.destroy(error);
    return;
  }
  const problem = toProblem(problemOf(error));
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
