import { open, readdir, stat } from "node:fs/promises";
import { join, matchesGlob } from "node:path";
import { z } from "zod";
import type { ReadOptions, Source, SourceBatch } from "../delivery/source.ts";
import { defineBuiltIn } from "../stage/built-in.ts";
import type { SourceHost } from "../stage/stage.ts";
import { ChangeWatch } from "./change-watch.ts";
import { codecOf, codecSetting, maxRecordBytesSetting } from "./codec-setting.ts";
import { unreachable } from "./faults.ts";
import { readBlocks } from "./read-blocks.ts";

const settings = z.object({
  path: z.string().min(1).describe("The folder."),
  files: z.string().min(1).default("*").describe("Which files, as a glob over their names; hidden ones never."),
  give: z
    .enum(["records", "files"])
    .default("records")
    .describe("A record is one of those in the files, or a file: `{ path, bytes }`."),
  codec: codecSetting,
  follow: z.boolean().default(false).describe("Goes on with files as they come."),
  pollMs: z.int().min(1).default(1_000).describe("How often a followed folder is looked at where the system tells of no change."),
  blockBytes: z.int().min(4_096).max(16_777_216).default(262_144).describe("How much is read at a time, in bytes."),
  maxRecordBytes: maxRecordBytesSetting,
  maxFileBytes: z.int().min(1).default(16_777_216).describe("Longest file that becomes one record."),
});

type DirectorySettings = z.infer<typeof settings>;

/** Up to where a folder is read: the last file, and how far. */
interface Mark {
  readonly name: string;
  /** Undefined when the file is done. */
  readonly offset?: number;
}

/**
 * `directory.read`: the files of a folder, in the order of their names, each from its beginning to its end.
 *
 * Position: the last file, and how far it is read. Replays: the same records again, as long as files do not change once they are
 * there: put them in by renaming, and let their names ascend; with `follow`, one that comes with a name before the last one is
 * passed over, and said so. Files that are through can be removed.
 */
export const directoryRead = defineBuiltIn({
  name: "directory.read",
  summary: "Reads the files of a folder by name, and with `follow` those that come.",
  settings,
  make: (given) => ({ source: (host) => new FolderSource(given, host) }),
});

class FolderSource implements Source {
  readonly #settings: DirectorySettings;
  readonly #host: SourceHost;
  /** Names before the last one that have been told of. */
  readonly #passedOver = new Set<string>();

  constructor(settings: DirectorySettings, host: SourceHost) {
    this.#settings = settings;
    this.#host = host;
  }

  async *read({ position, signal }: ReadOptions): AsyncGenerator<SourceBatch> {
    const { path, pollMs, follow } = this.#settings;
    const changes = new ChangeWatch({ folder: path, pollMs, clock: this.#host.clock, signal });
    let mark: Mark | undefined = position === undefined ? undefined : JSON.parse(position);
    const known = new Set(mark === undefined ? [] : (await this.#names()).filter((name) => name < (mark as Mark).name));
    try {
      while (!signal.aborted) {
        const names = await this.#names();
        const next = names.find(
          (name) => mark === undefined || name > mark.name || (name === mark.name && mark.offset !== undefined),
        );
        if (next !== undefined) {
          const from = mark?.name === next ? (mark.offset ?? 0) : 0;
          yield* this.#file(next, from, signal);
          if (signal.aborted) return;
          known.add(next);
          mark = { name: next };
        } else if (follow) {
          this.#tellPassedOver(names, known);
          await changes.next();
        } else return;
      }
    } finally {
      changes.close();
    }
  }

  async *#file(name: string, from: number, signal: AbortSignal): AsyncGenerator<SourceBatch> {
    const { path, give, codec, blockBytes, maxRecordBytes, maxFileBytes } = this.#settings;
    const file = await open(join(path, name), "r").catch((cause) => {
      throw unreachable(`the file ${join(path, name)} cannot be read`, cause);
    });
    const done = JSON.stringify({ name });
    try {
      const { size } = await file.stat();
      if (give === "files") {
        if (size > maxFileBytes)
          throw unreachable(`${join(path, name)} has ${size} bytes`, `at most ${maxFileBytes} make one record`);
        yield { records: [{ path: join(path, name), bytes: await file.readFile() }], position: done };
        return;
      }
      const decoder = codecOf(codec).decoder(maxRecordBytes === undefined ? {} : { maxRecordBytes });
      for await (const { block, end } of readBlocks({ file, decoder, from, blockBytes, signal })) {
        yield { block, position: JSON.stringify({ name, offset: end }) };
      }
      if (!signal.aborted) yield { records: [], position: done };
    } finally {
      await file.close();
    }
  }

  #tellPassedOver(names: readonly string[], known: ReadonlySet<string>): void {
    for (const name of names) {
      if (known.has(name) || this.#passedOver.has(name)) continue;
      this.#passedOver.add(name);
      this.#host.log("warn", `${name} is passed over: its name comes before one that is read already`);
    }
  }

  async #names(): Promise<string[]> {
    const { path, files } = this.#settings;
    const found = await readdir(path).catch((cause) => {
      throw unreachable(`the folder ${path} cannot be read`, cause);
    });
    const fitting = found.filter((name) => !name.startsWith(".") && matchesGlob(name, files)).sort();
    const kinds = await Promise.all(
      fitting.map((name) =>
        stat(join(path, name)).then(
          (found) => found.isFile(),
          () => false,
        ),
      ),
    );
    return fitting.filter((_name, index) => kinds[index]);
  }
}
