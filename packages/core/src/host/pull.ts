import { createHash } from "node:crypto";
import { constants, type Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { coreError } from "../errors.ts";
import { openFolder, openRegular } from "./folder.ts";
import type { FileTarget } from "./target.ts";

/** The payload of `metanode.host.pull`. */
export interface PullInput {
  readonly path: string;
  /** Where to begin: how many bytes the caller has already. @default 0 */
  readonly offset?: number;
  /** @default 256 KiB */
  readonly chunkBytes?: number;
}

/** First the chunks, in order and without gaps, then one item about the file. */
export type PullItem = PullChunk | PullEnd;

export interface PullChunk {
  readonly offset: number;
  /** Base64. */
  readonly data: string;
  /** Of this chunk. */
  readonly sha256: string;
}

export interface PullEnd {
  readonly file: {
    readonly bytes: number;
    /** Of the whole file, also of what lies before `offset`. */
    readonly sha256: string;
    readonly mode: number;
    readonly modifiedMs: number;
  };
}

const DEFAULT_CHUNK_BYTES = 256 * 1_024;
/** Of a chunk, so that a message stays far below its limit. */
export const MAX_CHUNK_BYTES = 1_024 * 1_024;

/**
 * Reads a file in chunks.
 * @throws {MetanodeError} state.conflict – it has changed meanwhile, or is shorter than `offset`; resource.not_found,
 *   auth.denied, call.unsupported – no regular file
 */
export async function* pull(input: PullInput, target: FileTarget): AsyncGenerator<PullItem> {
  const { path, offset = 0, chunkBytes = DEFAULT_CHUNK_BYTES } = input;
  await using folder = await openFolder(target.folder);
  const file = await openRegular(folder.at(target.name), constants.O_RDONLY);
  try {
    const before = await file.stat();
    if (offset > before.size) {
      throw coreError("state.conflict", `${path} has ${before.size} bytes, fewer than the offset ${offset}; begin again at 0`, {
        details: { offset: before.size },
      });
    }
    const hash = createHash("sha256");
    for await (const { bytes } of chunksOf(file, { from: 0, to: offset, size: chunkBytes, path })) hash.update(bytes);
    for await (const { at, bytes } of chunksOf(file, { from: offset, to: before.size, size: chunkBytes, path })) {
      hash.update(bytes);
      yield { offset: at, data: bytes.toString("base64"), sha256: createHash("sha256").update(bytes).digest("hex") };
    }
    const { size, mode, mtimeMs } = before;
    if (!isSame(before, await file.stat())) throw changed(path);
    yield { file: { bytes: size, sha256: hash.digest("hex"), mode: mode & 0o777, modifiedMs: mtimeMs } };
  } finally {
    await file.close();
  }
}

interface Range {
  readonly from: number;
  readonly to: number;
  readonly size: number;
  readonly path: string;
}

async function* chunksOf(
  file: FileHandle,
  { from, to, size, path }: Range,
): AsyncGenerator<{ readonly at: number; readonly bytes: Buffer }> {
  const buffer = Buffer.alloc(Math.min(size, to - from));
  for (let at = from; at < to; ) {
    const wanted = Math.min(size, to - at);
    let length = 0;
    while (length < wanted) {
      const { bytesRead } = await file.read(buffer, length, wanted - length, at + length);
      if (bytesRead === 0) throw changed(path);
      length += bytesRead;
    }
    yield { at, bytes: buffer.subarray(0, length) };
    at += length;
  }
}

function isSame(before: Stats, after: Stats): boolean {
  return before.size === after.size && before.mtimeMs === after.mtimeMs;
}

function changed(path: string): Error {
  return coreError("state.conflict", `${path} changed while it was read; pull it again from 0`, { details: { offset: 0 } });
}
