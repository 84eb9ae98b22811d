import type { MetanodeError } from "@metanode/core/errors";
import { type ActorErrorCode, actorError } from "../errors.ts";

/** Why a stream, an option or a text for one was refused. */
export type StreamErrorCode = Extract<ActorErrorCode, "actor.too_large" | "actor.malformed" | "actor.incorrect">;

/** A {@link MetanodeError} of this room; `details` are facts for programs. */
export function streamError(
  code: StreamErrorCode,
  message: string,
  details?: Readonly<Record<string, unknown>>,
): MetanodeError<ActorErrorCode> {
  return actorError(code, message, details === undefined ? {} : { details });
}

/**
 * Cuts a stream of bytes into pieces, whatever reads it comes in: the pieces depend on the bytes alone, never on where a
 * read ended.
 */
export interface Splitter<T> {
  /**
   * Takes one read and gives the pieces that it completed, in order. Pieces may share memory with `bytes`, which must not
   * be changed afterwards. When the stream breaks the rules, the pieces before the fault are given, and `failure` is set.
   * @throws {MetanodeError} the failure – when there was one before this call
   */
  push(bytes: Uint8Array): T[];
  /**
   * The stream ended: gives what its end completes, and drops the rest.
   * @throws {MetanodeError} the failure – when there was one before this call
   */
  end(): T[];
  /** Why nothing more can be read; look here after each `push` and `end`. */
  readonly failure: MetanodeError | undefined;
}

export { knownOptions, wholeNumber } from "../errors.ts";
