import type { ReadOptions, Source, SourceBatch } from "../delivery/source.ts";
import type { Block } from "../record/batch.ts";
import type { SourceHost } from "../stage/stage.ts";
import { exitError, isGood, type Program, startChild } from "./program.ts";

/** Blocks that may wait to be read before the program is made to wait. */
const MAX_BLOCKS = 16;

export interface ProgramSourceOptions {
  /** Whether the program gives the same records again when it is started again, so that the first ones can be skipped. */
  readonly reruns: boolean;
}

/**
 * What a program writes, as a source. Its stdin is open and never written to. When it exits well, the source has ended; when
 * it does not, the run fails. Its position is the number of records that it has given.
 */
export function programSource(program: Program, host: SourceHost, { reruns }: ProgramSourceOptions): Source {
  return { read: (options) => readProgram(program, host, reruns ? options : { ...options, skip: 0 }) };
}

async function* readProgram(
  program: Program,
  host: SourceHost,
  { sequence, skip = sequence, signal }: ReadOptions & { readonly skip?: number },
): AsyncGenerator<SourceBatch> {
  const decoder = program.codec.decoder({ maxRecordBytes: program.maxRecordBytes });
  const blocks: Block[] = [];
  let isOver = false;
  let fault: unknown;
  let wake = (): void => undefined;
  const keep = (find: () => Block | undefined): void => {
    try {
      const block = find();
      if (block !== undefined) blocks.push(block);
    } catch (error) {
      fault ??= error;
      child.kill();
    }
    if (blocks.length >= MAX_BLOCKS) child.pause();
    wake();
  };
  const child = startChild(program, host, {
    onOutput: (chunk) => keep(() => decoder.push(chunk)),
    onDrain: () => undefined,
    onExit: (exit) => {
      isOver = true;
      if (isGood(program, exit)) keep(() => decoder.end());
      else if (!signal.aborted) fault ??= exitError(host, exit, child.stderrTail);
      wake();
    },
  });
  const stop = (): void => {
    child.resume();
    child.terminate();
    host.clock.setTimer(5_000, () => isOver || child.kill());
  };
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    yield* takeBlocks();
  } finally {
    child.kill();
  }

  async function* takeBlocks(): AsyncGenerator<SourceBatch> {
    let given = 0;
    let number = sequence - skip;
    for (;;) {
      const block = blocks.shift();
      if (block !== undefined) {
        if (blocks.length < MAX_BLOCKS / 2) child.resume();
        const late = Math.min(block.count, Math.max(0, skip - given));
        given += block.count;
        const left = late === 0 ? block : program.codec.split(block, late)[1];
        number += block.count;
        if (left.count > 0) yield { block: left, position: String(number) };
      } else if (fault !== undefined) throw fault;
      else if (isOver) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }
}
