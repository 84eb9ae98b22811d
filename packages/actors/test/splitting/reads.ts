import fc from "fast-check";
import type { Splitter } from "../../src/splitting/splitting.ts";

/** The positions at which a stream of `length` bytes is cut into reads; some reads are empty. */
export function cuts(length: number): fc.Arbitrary<number[]> {
  return fc.array(fc.nat({ max: length }), { maxLength: 40 }).map((positions) => positions.sort((a, b) => a - b));
}

/** Bytes, and a way to cut them into reads. */
export function cutBytes<T>(stream: fc.Arbitrary<T>, bytesOf: (value: T) => Uint8Array): fc.Arbitrary<[T, Uint8Array[]]> {
  return stream.chain((value) => {
    const bytes = bytesOf(value);
    return fc.tuple(
      fc.constant(value),
      cuts(bytes.length).map((positions) => readsOf(bytes, positions)),
    );
  });
}

function readsOf(bytes: Uint8Array, positions: readonly number[]): Uint8Array[] {
  const edges = [0, ...positions, bytes.length];
  return edges.slice(1).map((end, index) => bytes.subarray(edges[index], end));
}

/** Everything that a splitter makes of some reads, and the code of its failure. */
export function readAll<T>(splitter: Splitter<T>, reads: readonly Uint8Array[]): { pieces: T[]; failure: string | undefined } {
  const pieces: T[] = [];
  for (const read of reads) {
    pieces.push(...splitter.push(read));
    if (splitter.failure) break;
  }
  if (!splitter.failure) pieces.push(...splitter.end());
  return { pieces, failure: splitter.failure?.code };
}

/** One read for each byte. */
export function byteByByte(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
