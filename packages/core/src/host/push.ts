import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { chmod, type FileHandle, lstat, rename, rm } from "node:fs/promises";
import { coreError } from "../errors.ts";
import { type OpenFolder, openFolder, openRegular } from "./folder.ts";
import type { FileTarget } from "./target.ts";

/*
 * P1. What was pushed lies beside the file until the last chunk, under a name of its own, and takes the file's place by one
 *     rename. Until then the old file is as it was, whatever happens.
 * P2. A chunk whose checksum is wrong changes nothing; it can be sent again. What has arrived survives a restart of the node.
 * P3. Chunks of one file are written one after the other.
 */

/** The payload of `metanode.host.push`: one chunk of a file. */
export interface PushInput {
  readonly path: string;
  /** Where the chunk begins: how many bytes came before. 0 begins anew. */
  readonly offset: number;
  /** Base64, or the bytes themselves where the caller is in the same process. */
  readonly data: string | Uint8Array;
  /** SHA-256 of this chunk, in hexadecimal. */
  readonly sha256: string;
  /** The file is complete with this chunk. */
  readonly last?: boolean;
  /** SHA-256 of the whole file; needed with the last of several chunks. */
  readonly fileSha256?: string;
  /** Rights of the file, without those of other users: 0o644. @default those of the file that it replaces, else 0o644 */
  readonly mode?: number;
}

export interface PushAnswer {
  readonly path: string;
  /** Where the next chunk begins. */
  readonly offset: number;
  /** The file is in its place. */
  readonly done: boolean;
  /** Of the whole file, once it is in its place. */
  readonly sha256?: string;
}

const DEFAULT_MODE = 0o644;

/** Writes files that come in chunks. */
export class Pushes {
  /** The end of what is done last with a file (P3). */
  readonly #last = new Map<string, Promise<unknown>>();

  /**
   * @throws {MetanodeError} message.invalid – the chunk is not what its checksum says; state.conflict – it does not go on
   *   where the last one ended (`details.offset`), or the chunks do not make the file; resource.not_found – no such folder
   */
  push(input: PushInput, target: FileTarget): Promise<PushAnswer> {
    const place = `${target.folder}/${target.name}`;
    const before = this.#last.get(place) ?? Promise.resolve();
    const answer = before.then(
      () => pushChunk(input, target),
      () => pushChunk(input, target),
    );
    this.#last.set(place, answer);
    const forget = (): void => {
      if (this.#last.get(place) === answer) this.#last.delete(place);
    };
    answer.then(forget, forget);
    return answer;
  }
}

async function pushChunk(input: PushInput, target: FileTarget): Promise<PushAnswer> {
  const bytes = bytesOf(input);
  const { offset, last = false } = input;
  if (last && offset > 0 && input.fileSha256 === undefined) {
    throw coreError("message.schema", "the last of several chunks comes without fileSha256, the SHA-256 of the whole file", {
      details: { path: "/fileSha256" },
    });
  }
  await using folder = await openFolder(target.folder);
  const partName = partOf(target.name);
  const part = await openRegular(folder.at(partName), constants.O_RDWR | constants.O_CREAT);
  try {
    // One that has a second name is somebody else's file under ours.
    if ((await part.stat()).nlink > 1)
      throw coreError("auth.denied", `${partName} has a second name; remove it, and begin again at 0`);
    await writeChunk(part, bytes, offset);
    if (!last) return { path: input.path, offset: offset + bytes.length, done: false };
    const sha256 = await finish(part, input, { folder, partName, name: target.name });
    return { path: input.path, offset: offset + bytes.length, done: true, sha256 };
  } finally {
    await part.close();
  }
}

/** Hidden, and by the file's own name: whoever goes on after a restart finds it. A long name is cut, and stays unique by its hash. */
function partOf(name: string): string {
  return `.${name.slice(0, 40)}.${createHash("sha256").update(name).digest("hex").slice(0, 16)}.part`;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function bytesOf({ data, sha256 }: PushInput): Uint8Array {
  if (!(data instanceof Uint8Array) && !(typeof data === "string" && BASE64.test(data))) {
    throw coreError("message.schema", "data is neither base64 nor bytes", { details: { path: "/data" } });
  }
  const bytes = data instanceof Uint8Array ? data : Buffer.from(data, "base64");
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found === sha256.toLowerCase()) return bytes;
  throw coreError("message.invalid", `the chunk has the SHA-256 ${found}, expected ${sha256}; send it again`, {
    retryable: true,
    details: { path: "/data/sha256", found, expected: sha256 },
  });
}

async function writeChunk(part: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  const { size } = await part.stat();
  if (offset === 0) await part.truncate(0);
  else if (offset !== size) {
    throw coreError(
      "state.conflict",
      `the chunk begins at ${offset}, but ${size} bytes have arrived; go on from there, or from 0`,
      {
        details: { offset: size },
      },
    );
  }
  for (let written = 0; written < bytes.length; ) {
    written += (await part.write(bytes, written, bytes.length - written, offset + written)).bytesWritten;
  }
}

interface Place {
  readonly folder: OpenFolder;
  readonly partName: string;
  readonly name: string;
}

async function finish(part: FileHandle, input: PushInput, { folder, partName, name }: Place): Promise<string> {
  const sha256 = await hashOf(part);
  const expected = (input.fileSha256 ?? input.sha256).toLowerCase();
  if (sha256 !== expected) {
    await rm(folder.at(partName));
    throw coreError(
      "state.conflict",
      `all chunks together have the SHA-256 ${sha256}, expected ${expected}; begin again at 0, and let only one write at a time`,
      { details: { found: sha256, expected, offset: 0 } },
    );
  }
  const mode = input.mode ?? (await modeOf(folder.at(name))) ?? DEFAULT_MODE;
  await chmod(folder.at(partName), mode);
  await part.sync();
  await rename(folder.at(partName), folder.at(name));
  await folder.sync();
  return sha256;
}

async function modeOf(path: string): Promise<number | undefined> {
  try {
    const found = await lstat(path);
    return found.isFile() ? found.mode & 0o777 : undefined;
  } catch {
    return undefined;
  }
}

async function hashOf(file: FileHandle): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(256 * 1_024);
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) return hash.digest("hex");
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}
