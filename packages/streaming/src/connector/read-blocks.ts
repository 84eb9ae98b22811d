import type { FileHandle } from "node:fs/promises";
import type { Decoder } from "../codec/codec.ts";
import type { Block } from "../record/batch.ts";

export interface ReadBlocksOptions {
  readonly file: FileHandle;
  readonly decoder: Decoder;
  /** Offset of the first record. */
  readonly from: number;
  readonly blockBytes: number;
  readonly signal: AbortSignal;
  /** Whether the file ends here for good, so that a begun record at its end is one. @default true */
  readonly isOver?: boolean;
}

/** Whole records, and the offset behind them. */
export interface FileBlock {
  readonly block: Block;
  readonly end: number;
}

/** Reads a file up to its present end, one read ahead of whoever takes the blocks. Afterwards the decoder holds what is begun. */
export async function* readBlocks(options: ReadBlocksOptions): AsyncGenerator<FileBlock> {
  const { file, decoder, signal, isOver = true } = options;
  let end = options.from;
  let offset = options.from;
  let ahead = begin(options, offset);
  try {
    while (!signal.aborted) {
      const chunk = await ahead;
      offset += chunk.length;
      if (chunk.length === 0) break;
      ahead = begin(options, offset);
      const block = decoder.push(chunk);
      if (block === undefined) continue;
      end += block.bytes.length;
      yield { block, end };
    }
  } finally {
    await ahead.catch(() => undefined); // before the file is closed
  }
  const last = signal.aborted || !isOver ? undefined : decoder.end();
  if (last !== undefined) yield { block: last, end: (await file.stat()).size };
}

function begin(options: ReadBlocksOptions, offset: number): Promise<Buffer> {
  const reading = readAt(options, offset);
  reading.catch(() => undefined); // whoever takes the blocks may be slow to look at it, or never come back
  return reading;
}

async function readAt({ file, blockBytes }: ReadBlocksOptions, offset: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(blockBytes); // blocks keep it
  const { bytesRead } = await file.read(buffer, 0, blockBytes, offset);
  if (bytesRead === blockBytes) return buffer;
  return bytesRead < blockBytes / 2 ? Buffer.from(buffer.subarray(0, bytesRead)) : buffer.subarray(0, bytesRead);
}
