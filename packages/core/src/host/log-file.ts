import { constants } from "node:fs";
import { type FileHandle, lstat } from "node:fs/promises";
import { type Clock, wait } from "../clock.ts";
import { type OpenFolder, openFolder, openRegular } from "./folder.ts";
import { Lines, type LogItem } from "./lines.ts";
import type { FileTarget } from "./target.ts";

/*
 * F1. The last lines come first, then whatever is written, each line once.
 * F2. A file that was renamed is read to its end before its successor is begun. Whoever writes may take a while to notice
 *     the rotation, so the old one is left only when something stands in the new one.
 * F3. A file that became shorter was emptied, and is read from its beginning.
 */

/** How to read a file. */
export interface FileLog {
  readonly target: FileTarget;
  readonly lines: number;
  readonly follow: boolean;
  readonly clock: Clock;
  /** Ends the following. */
  readonly signal: AbortSignal;
}

/** How often a file is looked at. */
const POLL_MS = 100;
const BLOCK_BYTES = 64 * 1_024;
/** How far back lines are looked for. */
const MAX_BACK_BYTES = 16 * 1_024 * 1_024;

/** The end of a file, and what is added to it. @throws {MetanodeError} as files: resource.not_found, auth.denied, call.unsupported */
export async function* fileLog(what: FileLog): AsyncGenerator<LogItem> {
  await using folder = await openFolder(what.target.folder);
  await using reader = new Reader(folder, what.target.name);
  await reader.open(what.lines);
  yield* reader.rest();
  if (!what.follow) {
    yield* reader.unfinished();
    return;
  }
  while (!what.signal.aborted) {
    await wait(what.clock, POLL_MS, what.signal).catch(() => undefined);
    if (await reader.wasEmptied()) yield* reader.unfinished();
    yield* reader.rest();
    if (!(await reader.hasSuccessor())) continue;
    yield* reader.rest();
    yield* reader.unfinished();
    await reader.open().catch(unlessGone);
  }
}

/** A successor that has gone again at once has one of its own. */
function unlessGone(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}

class Reader implements AsyncDisposable {
  readonly #folder: OpenFolder;
  readonly #name: string;
  readonly #lines = new Lines();
  readonly #buffer = Buffer.alloc(BLOCK_BYTES);
  #file!: FileHandle;
  #at = 0;

  constructor(folder: OpenFolder, name: string) {
    this.#folder = folder;
    this.#name = name;
  }

  /** Opens what stands under the name now. @param last lines to begin with; all where absent */
  async open(last?: number): Promise<void> {
    const next = await openRegular(this.#folder.at(this.#name), constants.O_RDONLY);
    await this.#file?.close();
    this.#file = next;
    this.#at = last === undefined ? 0 : await startOfLast(next, last);
  }

  /** Everything up to the end of the file. */
  async *rest(): AsyncGenerator<LogItem> {
    while (true) {
      const { bytesRead } = await this.#file.read(this.#buffer, 0, BLOCK_BYTES, this.#at);
      if (bytesRead === 0) return;
      this.#at += bytesRead;
      const lines = this.#lines.push(this.#buffer.subarray(0, bytesRead));
      if (lines.length > 0) yield { lines };
    }
  }

  /** The last line, if it has no end yet. */
  *unfinished(): Generator<LogItem> {
    const lines = this.#lines.end();
    if (lines.length > 0) yield { lines };
  }

  async wasEmptied(): Promise<boolean> {
    if ((await this.#file.stat()).size >= this.#at) return false;
    this.#at = 0;
    return true;
  }

  async hasSuccessor(): Promise<boolean> {
    try {
      const there = await lstat(this.#folder.at(this.#name));
      const own = await this.#file.stat();
      return (there.ino !== own.ino || there.dev !== own.dev) && there.isFile() && there.size > 0;
    } catch {
      return false; // between the renaming and the new file
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
  }
}

const LINE_FEED = 10;

/** Where the last `count` lines begin. A line feed at the very end belongs to the last line. */
async function startOfLast(file: FileHandle, count: number): Promise<number> {
  const { size } = await file.stat();
  if (count === 0) return size;
  const buffer = Buffer.alloc(BLOCK_BYTES);
  let left = count;
  for (let end = size; end > 0 && size - end < MAX_BACK_BYTES; ) {
    const start = Math.max(0, end - BLOCK_BYTES);
    const { bytesRead } = await file.read(buffer, 0, end - start, start);
    for (let at = bytesRead - 1; at >= 0; at--) {
      if (buffer[at] !== LINE_FEED || start + at === size - 1) continue;
      left--;
      if (left === 0) return start + at + 1;
    }
    end = start;
  }
  return Math.max(0, size - MAX_BACK_BYTES);
}
