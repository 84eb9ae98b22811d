import type { Readable, Writable } from "node:stream";
import { z } from "zod";
import type { ReadOptions, SourceBatch } from "../delivery/source.ts";
import { type BuiltIn, defineBuiltIn } from "../stage/built-in.ts";
import { codecOf, codecSetting, maxRecordBytesSetting } from "./codec-setting.ts";
import { encodeLoad } from "./encode-load.ts";
import { sinkAction } from "./sink.ts";
import { writeTo } from "./write-to.ts";

/** Where `stdio.read` and `stdio.write` read and write. */
export interface StandardStreams {
  readonly stdin: Readable;
  readonly stdout: Writable;
}

/**
 * `stdio.read`: the records on stdin of this process. Position: how many there were. Replays: no; what was in flight at a crash is
 * lost, unless the graph keeps a journal of it. Ends with stdin, so the graph completes.
 *
 * `stdio.write`: records to stdout of this process. A record is done once the system has taken its bytes; after a crash records
 * may come twice.
 *
 * `streams` are asked for when a run opens; by default they are those of the process.
 */
export function stdioConnectors(streams: () => StandardStreams = () => process): readonly BuiltIn[] {
  const read = defineBuiltIn({
    name: "stdio.read",
    summary: "Reads the records on stdin.",
    settings: z.object({ codec: codecSetting, maxRecordBytes: maxRecordBytesSetting }),
    make: ({ codec, maxRecordBytes }) => ({
      replays: false,
      source: () => ({
        read: (options) => {
          const decoder = codecOf(codec).decoder(maxRecordBytes === undefined ? {} : { maxRecordBytes });
          return readStream(streams().stdin, decoder, options);
        },
      }),
    }),
  });
  const write = defineBuiltIn({
    name: "stdio.write",
    summary: "Writes records to stdout.",
    settings: z.object({ codec: codecSetting }),
    make: ({ codec }) =>
      sinkAction(() => ({ write: async (load) => writeTo(streams().stdout, encodeLoad(load, codecOf(codec))) }), {
        maxRecords: 100_000,
        maxBytes: 262_144,
      }),
  });
  return [read, write];
}

type StreamDecoder = ReturnType<ReturnType<typeof codecOf>["decoder"]>;

async function* readStream(
  stream: Readable,
  decoder: StreamDecoder,
  { sequence, signal }: ReadOptions,
): AsyncGenerator<SourceBatch> {
  let count = sequence;
  const aborted = new Promise<undefined>((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  // Left alone at the end, not destroyed: another run may read on.
  const chunks = stream.iterator({ destroyOnReturn: false });
  try {
    while (!signal.aborted) {
      const next = await Promise.race([chunks.next(), aborted]);
      if (next === undefined) return;
      const block = next.done === true ? decoder.end() : decoder.push(Buffer.from(next.value));
      if (block !== undefined) {
        count += block.count;
        yield { block, position: String(count) };
      }
      if (next.done === true) return;
    }
  } finally {
    void chunks.return?.();
  }
}
