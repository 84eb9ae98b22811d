import type { ReadOptions, Source, SourceBatch } from "../delivery/source.ts";

/** Records of a synchronous iterable that travel together: long enough that what a batch costs is nothing per record. */
const BATCH_RECORDS = 512;

/**
 * An iterable as a source. Its position is the number of records that were read; after a failure it is iterated anew and
 * what was handed over is skipped, so it has to give the same again.
 */
export function iterableSource(make: () => Iterable<unknown> | AsyncIterable<unknown>): Source {
  return {
    read: (options) => {
      const iterable = make();
      return Symbol.asyncIterator in iterable ? readAsync(iterable, options) : readSync(iterable, options);
    },
  };
}

async function* readSync(iterable: Iterable<unknown>, { sequence, signal }: ReadOptions): AsyncGenerator<SourceBatch> {
  let read = 0;
  let records: unknown[] = [];
  for (const record of iterable) {
    if (++read <= sequence) continue;
    records.push(record);
    if (records.length < BATCH_RECORDS) continue;
    yield { records, position: String(read) };
    if (signal.aborted) return;
    records = [];
  }
  if (records.length > 0) yield { records, position: String(read) };
}

/** Takes together what comes within one turn of the event loop, so that a slow iterable waits for nothing. */
async function* readAsync(iterable: AsyncIterable<unknown>, { sequence, signal }: ReadOptions): AsyncGenerator<SourceBatch> {
  const iterator = iterable[Symbol.asyncIterator]();
  const aborted = new Promise<undefined>((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  let read = 0;
  let pending = iterator.next();
  try {
    while (!signal.aborted) {
      const first = await Promise.race([pending, aborted]);
      if (first === undefined || first.done === true) return;
      const records: unknown[] = [];
      if (++read > sequence) records.push(first.value);
      pending = iterator.next();
      let isOver = false;
      const turn = new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)));
      while (!isOver && records.length < BATCH_RECORDS) {
        const next = await Promise.race([pending, turn]);
        if (next === undefined || next.done === true) isOver = true;
        else {
          if (++read > sequence) records.push(next.value);
          pending = iterator.next();
        }
      }
      if (records.length > 0) yield { records, position: String(read) };
    }
  } finally {
    pending.catch(() => undefined);
    void iterator.return?.()?.catch(() => undefined);
  }
}
