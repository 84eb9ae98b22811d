import { errorRow, type MetanodeError } from "@metanode/core/errors";
import { displayWidth, oneLine } from "./output/width.ts";

/** An error as Problem Details (RFC 9457), in the shape that the HTTP API gives. */
export function problemOf(error: MetanodeError): Record<string, unknown> {
  const row = errorRow(error.code);
  return {
    type: `/api/v1/errors/${error.code}`,
    title: row.meaning,
    status: row.http,
    detail: error.message,
    code: error.code,
    retryable: error.retryable,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    ...(error.details === undefined ? {} : { details: error.details }),
    ...(error.origin.length === 0 ? {} : { origin: error.origin }),
  };
}

/** The one line that a person sees. */
export function failureLine(error: MetanodeError): string {
  return `error ${error.code}: ${oneLine(error.message)}`;
}

/** Characters of a line that are shown before and behind the place of a mistake. */
const AROUND = 60;

/** The line in which a mistake was found, with a caret below it; undefined where the error knows no place in a text. */
export function failurePlace({ details }: MetanodeError): string | undefined {
  const { text, line, column } = details ?? {};
  if (typeof text !== "string" || typeof line !== "number" || typeof column !== "number") return undefined;
  const characters = [...(text.split("\n")[line - 1] ?? "")].map((character) => (/\p{Cc}/u.test(character) ? " " : character));
  const start = Math.max(0, column - 1 - AROUND);
  const before = `${start > 0 ? "…" : ""}${characters.slice(start, column - 1).join("")}`;
  const behind = characters.slice(column - 1, column - 1 + AROUND).join("");
  const cut = characters.length > column - 1 + AROUND ? "…" : "";
  return `  line ${line}, column ${column}:\n    ${before}${behind}${cut}\n    ${" ".repeat(displayWidth(before))}^`;
}
