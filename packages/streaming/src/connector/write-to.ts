import type { Writable } from "node:stream";
import { unreachable } from "./faults.ts";

/** Resolves when the stream has passed the bytes on. @throws {MetanodeError} stream.connector */
export function writeTo(stream: Writable, parts: readonly Buffer[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => reject(unreachable("the stream takes nothing more", cause));
    // Its callback may never come when the other side has gone: then its end or its fault tells.
    const onClose = (): void => fail("it is closed");
    stream.once("error", fail);
    stream.once("close", onClose);
    stream.write(parts.length === 1 ? parts[0] : Buffer.concat(parts), (error) => {
      stream.off("close", onClose);
      if (error === null || error === undefined) {
        stream.off("error", fail);
        resolve();
      } else fail(error);
    });
  });
}
