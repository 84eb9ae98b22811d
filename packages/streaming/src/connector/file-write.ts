import { copyFile, type FileHandle, open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import type { Codec } from "../codec/codec.ts";
import { defineBuiltIn } from "../stage/built-in.ts";
import type { StageState } from "../stage/stage.ts";
import type { Writer } from "./batching.ts";
import { codecOf, codecSetting } from "./codec-setting.ts";
import { encodeLoad } from "./encode-load.ts";
import { unreachable } from "./faults.ts";
import type { Load } from "./load.ts";
import { sinkAction } from "./sink.ts";

const settings = z.object({
  path: z.string().min(1).describe("The file; its folder has to be there."),
  codec: codecSetting,
  mode: z
    .enum(["append", "replace"])
    .default("append")
    .describe("`replace` puts the whole file in place once the graph completes."),
  sync: z.boolean().default(true).describe("Waits until the disk has it; without, the crash of the machine may cost records."),
  maxBytes: z.int().min(1).default(4_194_304).describe("Most bytes of one write."),
});

type FileWriteSettings = z.infer<typeof settings>;

/** Most records of one write: what counts is the bytes. */
const MAX_RECORDS = 100_000;

/**
 * `file.write`: records at the end of a file. A record is done once the disk has it. Nobody else may write the file meanwhile.
 *
 * `append`: after a crash, records that were not known to be through are written again; a torn last line gets its newline first.
 *
 * `replace`: writes beside the file (`<path>.partial`) and renames once the graph has completed, so readers see the old file or
 * all of the new one. The stage keeps how much it has written, and the next run cuts off the rest: each record is there once,
 * whatever crashed.
 *
 * Blocks of the same codec are written as they are.
 */
export const fileWrite = defineBuiltIn({
  name: "file.write",
  summary: "Appends records to a file, or replaces it by all of them at the end.",
  settings,
  make: (given) => {
    const action = sinkAction(() => FileWriter.open(given), { maxRecords: MAX_RECORDS, maxBytes: given.maxBytes });
    return given.mode === "replace" ? { ...action, keepsState: true } : action;
  },
});

/** Where the length of the file is kept. */
const LENGTH = "length";

class FileWriter implements Writer {
  readonly state?: StageState;
  readonly #settings: FileWriteSettings;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #codec: Codec;
  #length: number;
  #isRestored: Promise<void> = Promise.resolve();

  static async open(settings: FileWriteSettings): Promise<FileWriter> {
    const path = settings.mode === "replace" ? `${settings.path}.partial` : settings.path;
    try {
      // Not for appending: then nothing could be cut off after a write that failed half-way.
      const file = await open(path, "r+").catch(() => open(path, "w+"));
      const writer = new FileWriter(settings, { path, file, length: (await file.stat()).size });
      if (settings.mode === "append") await writer.#endLine();
      return writer;
    } catch (error) {
      throw unreachable(`the file ${path} cannot be written`, error);
    }
  }

  private constructor(settings: FileWriteSettings, opened: { path: string; file: FileHandle; length: number }) {
    this.#settings = settings;
    this.#path = opened.path;
    this.#file = opened.file;
    this.#length = opened.length;
    this.#codec = codecOf(settings.codec);
    if (settings.mode === "replace") this.state = this.#keptLength();
  }

  async write(load: Load): Promise<void> {
    await this.#isRestored;
    const parts = encodeLoad(load, this.#codec);
    try {
      let end = this.#length;
      for (const part of parts) {
        await writeAll(this.#file, part, end);
        end += part.length;
      }
      if (this.#settings.sync) await this.#file.datasync();
      this.#length = end;
    } catch (error) {
      await this.#file.truncate(this.#length).catch(() => undefined); // half a load is no record
      throw unreachable(`the file ${this.#path} cannot be written`, error);
    }
  }

  async end(): Promise<void> {
    if (this.#settings.mode === "append") return;
    await this.#isRestored;
    try {
      await this.#file.sync();
      await rename(this.#path, this.#settings.path);
      await syncFolder(dirname(this.#settings.path));
      this.#length = 0; // of what a next run begins
    } catch (error) {
      throw unreachable(`the file ${this.#settings.path} cannot be put in its place`, error);
    }
  }

  async close(): Promise<void> {
    await this.#isRestored.catch(() => undefined);
    await this.#file.close();
  }

  /** A line that was torn by a crash, or that somebody left without its end, is kept apart from what comes now. */
  async #endLine(): Promise<void> {
    if (this.#length === 0 || (this.#codec.name !== "lines" && this.#codec.name !== "json")) return;
    const { buffer } = await this.#file.read(Buffer.alloc(1), 0, 1, this.#length - 1);
    if (buffer[0] === 10) return;
    await writeAll(this.#file, Buffer.from("\n"), this.#length);
    this.#length++;
  }

  #keptLength(): StageState {
    let told = -1;
    return {
      restore: (entries) => {
        const kept = entries.get(LENGTH);
        told = kept === undefined ? -1 : Number(kept);
        this.#isRestored = this.#cutTo(Number(kept ?? 0)); // without anything kept, what is there is of nobody
        this.#isRestored.catch(() => undefined); // the first write will tell
      },
      changes: () => {
        if (this.#length === told) return [];
        told = this.#length;
        return [{ key: LENGTH, value: String(told) }];
      },
    };
  }

  async #cutTo(length: number): Promise<void> {
    // When the last run had renamed it already and could not store that any more, all of it is in its place.
    if (this.#length < length) await copyFile(this.#settings.path, this.#path);
    const { size } = await this.#file.stat();
    if (size < length) {
      throw unreachable(`${this.#path} has ${size} bytes, but ${length} were written`, "somebody else has shortened it");
    }
    await this.#file.truncate(length);
    this.#length = length;
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

/** A rename is durable once its folder is. Not every system can do that. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r").catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}
