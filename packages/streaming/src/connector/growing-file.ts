import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ReadOptions, Source, SourceBatch } from "../delivery/source.ts";
import type { SourceHost } from "../stage/stage.ts";
import { ChangeWatch } from "./change-watch.ts";
import { codecOf } from "./codec-setting.ts";
import { unreachable } from "./faults.ts";
import type { FileReadSettings } from "./file-settings.ts";
import { readBlocks } from "./read-blocks.ts";

/** A file that is being read, and up to where its records have been given. */
interface OpenFile {
  readonly file: FileHandle;
  readonly inode: number;
  offset: number;
}

/** A file to which others add, and which others may rotate. See `file.read` for what it promises. */
export class GrowingFile implements Source {
  readonly #settings: FileReadSettings;
  readonly #host: SourceHost;

  constructor(settings: FileReadSettings, host: SourceHost) {
    this.#settings = settings;
    this.#host = host;
  }

  async *read({ position, signal }: ReadOptions): AsyncGenerator<SourceBatch> {
    const { path, pollMs } = this.#settings;
    const { clock } = this.#host;
    const changes = new ChangeWatch({ folder: dirname(path), name: basename(path), pollMs, clock, signal });
    let current: OpenFile | undefined;
    try {
      current = position === undefined ? await this.#first(changes, signal) : await this.#resume(position, changes, signal);
      // What is added from now on is wanted, also when the run ends before any of it has come.
      if (position === undefined && current !== undefined) yield { records: [], position: positionIn(current) };
      while (current !== undefined) {
        yield* this.#follow(current, changes, signal);
        await current.file.close();
        current = undefined;
        current = await this.#open(changes, signal);
      }
    } finally {
      changes.close();
      await current?.file.close();
    }
  }

  /** Gives what is added, until the file is rotated away and read to its end. */
  async *#follow(current: OpenFile, changes: ChangeWatch, signal: AbortSignal): AsyncGenerator<SourceBatch> {
    const { path, codec, blockBytes, maxRecordBytes } = this.#settings;
    let seenBytes = -1;
    while (!signal.aborted) {
      const isOver = await this.#isRotated(current.inode);
      const { size } = await current.file.stat();
      if (size < current.offset) {
        this.#host.log("warn", `${path} was truncated; reading it from its beginning`);
        current.offset = 0;
      }
      if (isOver || size !== seenBytes) {
        seenBytes = size;
        // A begun line is read again with its end: so nothing of it has to be kept between two looks.
        const decoder = codecOf(codec).decoder(maxRecordBytes === undefined ? {} : { maxRecordBytes });
        const reading = { file: current.file, decoder, from: current.offset, blockBytes, signal, isOver };
        for await (const { block, end } of readBlocks(reading)) {
          current.offset = end;
          yield { block, position: positionIn(current) };
        }
        if (isOver) return;
      } else await changes.next();
    }
  }

  /** Whether another file has taken the place of this one. While there is none, there may be more to come. */
  async #isRotated(inode: number): Promise<boolean> {
    const found = await inodeOf(this.#settings.path);
    return found !== undefined && found !== inode;
  }

  async #first(changes: ChangeWatch, signal: AbortSignal): Promise<OpenFile | undefined> {
    const isThere = (await inodeOf(this.#settings.path)) !== undefined;
    const opened = await this.#open(changes, signal);
    // One that comes into being only now has nothing that was there before.
    if (opened !== undefined && isThere && this.#settings.from === "end") opened.offset = (await opened.file.stat()).size;
    return opened;
  }

  /** The file that was read last, wherever it is by now. */
  async #resume(position: string, changes: ChangeWatch, signal: AbortSignal): Promise<OpenFile | undefined> {
    const [inode = 0, offset = 0] = position.split(":").map(Number);
    const { path } = this.#settings;
    const folder = dirname(path);
    if ((await inodeOf(path)) !== inode) {
      for (const name of await readdir(folder).catch(() => [])) {
        const rotated = join(folder, name);
        if ((await inodeOf(rotated)) === inode) return { file: await open(rotated, "r"), inode, offset };
      }
      this.#host.log("warn", `${path} is another file than before, and the rest of that one is nowhere in ${folder}`);
      return this.#open(changes, signal);
    }
    const opened = await this.#open(changes, signal);
    if (opened?.inode === inode) opened.offset = offset;
    return opened;
  }

  /** The file at the path, as soon as there is one. */
  async #open(changes: ChangeWatch, signal: AbortSignal): Promise<OpenFile | undefined> {
    const { path } = this.#settings;
    while (!signal.aborted) {
      try {
        const file = await open(path, "r");
        return { file, inode: (await file.stat()).ino, offset: 0 };
      } catch (error) {
        if (!isMissing(error)) throw unreachable(`the file ${path} cannot be read`, error);
      }
      await changes.next();
    }
    return undefined;
  }
}

function positionIn({ inode, offset }: OpenFile): string {
  return `${inode}:${offset}`;
}

async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw unreachable(`the file ${path} cannot be looked at`, error);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
