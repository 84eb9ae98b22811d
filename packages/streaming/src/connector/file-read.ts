import { open } from "node:fs/promises";
import type { ReadOptions, Source, SourceBatch } from "../delivery/source.ts";
import { defineBuiltIn } from "../stage/built-in.ts";
import { codecOf } from "./codec-setting.ts";
import { unreachable } from "./faults.ts";
import { type FileReadSettings, fileReadSettings } from "./file-settings.ts";
import { GrowingFile } from "./growing-file.ts";
import { readBlocks } from "./read-blocks.ts";

/**
 * `file.read`: the records of a file, from its beginning to its end; with `follow`, also what is added later.
 *
 * Position: bytes read; of a followed file also its inode. Replays: the same records again, as long as nobody rewrites what is
 * there. Whole records go on as blocks, as they stand in the file: what only passes them on does not cut them apart.
 *
 * A followed file may be renamed and begun anew: the rest of the old one is read first, also when that happened between two runs,
 * if the old one is still in its folder. It may be truncated: then it is read from its beginning. A last line without a newline
 * is a record when the file is not followed or was rotated away; else it is waited for.
 * `bytes` of a followed file come again in other pieces.
 */
export const fileRead = defineBuiltIn({
  name: "file.read",
  summary: "Reads the records of a file, and with `follow` what is added to it.",
  settings: fileReadSettings,
  make: (given) => ({
    source: (host) => (given.follow ? new GrowingFile(given, host) : wholeFile(given)),
  }),
});

function wholeFile({ path, codec, blockBytes, maxRecordBytes }: FileReadSettings): Source {
  return {
    read: async function* ({ position, signal }: ReadOptions): AsyncGenerator<SourceBatch> {
      const file = await open(path, "r").catch((cause) => {
        throw unreachable(`the file ${path} cannot be read`, cause);
      });
      try {
        const decoder = codecOf(codec).decoder(maxRecordBytes === undefined ? {} : { maxRecordBytes });
        for await (const { block, end } of readBlocks({ file, decoder, from: Number(position ?? 0), blockBytes, signal })) {
          yield { block, position: String(end) };
        }
      } finally {
        await file.close();
      }
    },
  };
}
