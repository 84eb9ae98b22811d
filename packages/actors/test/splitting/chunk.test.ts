import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { type ChunkOptions, createChunker } from "../../src/splitting/chunk.ts";
import { byteByByte, cutBytes, readAll } from "./reads.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** A header of three bytes: a tag, then the length in two bytes. */
const tagged: ChunkOptions = { headerSize: 3, headerLengthPosition: 1, headerLengthSize: 2 };

describe("83 a stream of chunks of one length", () => {
  test("83 gives messages of exactly that length, however the stream is split", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        cutBytes(fc.uint8Array({ maxLength: 300 }), (stream) => stream),
        (fixedLength, [stream, reads]) => {
          const whole = Math.floor(stream.length / fixedLength);
          const expected = Array.from({ length: whole }, (_, i) => stream.slice(i * fixedLength, (i + 1) * fixedLength));
          expect(readAll(createChunker({ fixedLength }), reads)).toEqual({ pieces: expected, failure: undefined });
        },
      ),
    );
  });

  test("gives several messages of one read in their order", () => {
    expect(createChunker({ fixedLength: 2 }).push(bytes(1, 2, 3, 4, 5))).toEqual([bytes(1, 2), bytes(3, 4)]);
  });

  test("ignores the options of a header and the longest length", () => {
    const chunker = createChunker({ fixedLength: 4, headerSize: 9, headerLengthPosition: 20, maxLength: 2 });
    expect(chunker.push(bytes(1, 2, 3, 4))).toEqual([bytes(1, 2, 3, 4)]);
  });

  test("drops what is not whole when the stream ends", () => {
    const chunker = createChunker({ fixedLength: 3 });
    expect(chunker.push(bytes(1, 2))).toEqual([]);
    expect(chunker.end()).toEqual([]);
    expect(chunker.push(bytes(7, 8, 9))).toEqual([bytes(7, 8, 9)]);
  });
});

describe("a stream of chunks with headers", () => {
  test("gives each chunk with its header", () => {
    expect(createChunker(tagged).push(bytes(9, 0, 2, 65, 66, 8, 0, 0))).toEqual([bytes(9, 0, 2, 65, 66), bytes(8, 0, 0)]);
  });

  test("reads a length that counts the header", () => {
    const chunker = createChunker({ ...tagged, headerLengthIncludesHeader: true });
    expect(chunker.push(bytes(9, 0, 5, 65, 66, 8, 0, 3))).toEqual([bytes(9, 0, 5, 65, 66), bytes(8, 0, 3)]);
  });

  test("reads a length of four bytes as unsigned, highest byte first", () => {
    const chunker = createChunker({ headerSize: 4, headerLengthSize: 4, maxLength: 10 });
    chunker.push(bytes(0xff, 0xff, 0xff, 0xfe));
    expect(chunker.failure?.details).toEqual({ length: 0xffff_fffe + 4, maxLength: 10 });
  });

  test("joins a chunk that comes byte by byte, its header too", () => {
    const stream = bytes(9, 0, 2, 65, 66, 8, 0, 0, 7, 0, 1, 67);
    expect(readAll(createChunker(tagged), byteByByte(stream)).pieces).toEqual([
      bytes(9, 0, 2, 65, 66),
      bytes(8, 0, 0),
      bytes(7, 0, 1, 67),
    ]);
  });

  test("gives back the chunks that were written, however the stream is split", () => {
    const layout = fc.record({
      headerLengthSize: fc.constantFrom(1, 2, 4),
      before: fc.nat({ max: 3 }),
      after: fc.nat({ max: 3 }),
      headerLengthIncludesHeader: fc.boolean(),
      bodies: fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 12 }),
    });
    const written = layout.map(({ headerLengthSize, before, after, headerLengthIncludesHeader, bodies }) => {
      const headerSize = before + headerLengthSize + after;
      const chunks = bodies.map((body) => {
        const chunk = Buffer.alloc(headerSize + body.length, 0xee);
        chunk.writeUIntBE(body.length + (headerLengthIncludesHeader ? headerSize : 0), before, headerLengthSize);
        chunk.set(body, headerSize);
        return Uint8Array.from(chunk);
      });
      const options = { headerSize, headerLengthPosition: before, headerLengthSize, headerLengthIncludesHeader } as ChunkOptions;
      return { options, chunks };
    });
    fc.assert(
      fc.property(
        cutBytes(written, ({ chunks }) => Uint8Array.from(Buffer.concat(chunks))),
        ([{ options, chunks }, reads]) => {
          expect(readAll(createChunker(options), reads)).toEqual({ pieces: chunks, failure: undefined });
        },
      ),
    );
  });

  test("ends in the same way for any bytes, however they are split", () => {
    fc.assert(
      fc.property(
        cutBytes(fc.uint8Array({ maxLength: 200 }), (stream) => stream),
        ([stream, reads]) => {
          const options: ChunkOptions = { headerSize: 2, headerLengthSize: 1, headerLengthIncludesHeader: true, maxLength: 40 };
          expect(readAll(createChunker(options), reads)).toEqual(readAll(createChunker(options), [stream]));
        },
      ),
    );
  });

  test("keeps no hold of memory that only a header spoke of", () => {
    const before = process.memoryUsage().arrayBuffers;
    const chunkers = Array.from({ length: 100 }, () => {
      const chunker = createChunker({ headerSize: 4, headerLengthSize: 4 });
      chunker.push(bytes(0x7f, 0xff, 0xff, 0xff, 1));
      return chunker;
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
    expect(chunkers).toHaveLength(100);
  });

  test("moves each byte a few times only, when a large chunk comes in small reads", () => {
    const chunker = createChunker({ headerSize: 4, headerLengthSize: 4 });
    const body = new Uint8Array(8_000_000).fill(3);
    const set = vi.spyOn(Uint8Array.prototype, "set");
    chunker.push(bytes(0, 0x7a, 0x12, 0)); // 8,000,000
    for (let at = 0; at < body.length - 500; at += 500) chunker.push(body.subarray(at, at + 500));
    expect(chunker.push(body.subarray(-500))).toHaveLength(1);
    const moved = set.mock.calls.reduce((sum, [source]) => sum + source.length, 0);
    set.mockRestore();
    expect(moved).toBeGreaterThanOrEqual(body.length);
    expect(moved / body.length).toBeLessThan(4);
  });
});

describe("85 a chunk above the longest length", () => {
  test("85 fails with actor.too_large as soon as its header is read", () => {
    const chunker = createChunker({ ...tagged, maxLength: 8 });
    expect(chunker.push(bytes(1, 0, 6))).toEqual([]);
    expect(chunker.failure).toMatchObject({ code: "actor.too_large", details: { length: 9, maxLength: 8 } });
  });

  test("85 leaves a chunk of just that length alone", () => {
    const chunker = createChunker({ ...tagged, maxLength: 5 });
    expect(chunker.push(bytes(1, 0, 2, 7, 7))).toHaveLength(1);
    expect(chunker.failure).toBeUndefined();
  });

  test("85 does not hold back the chunks before it, and ends the stream", () => {
    const chunker = createChunker({ ...tagged, maxLength: 5 });
    expect(chunker.push(bytes(1, 0, 1, 7, 2, 0, 200, 8))).toEqual([bytes(1, 0, 1, 7)]);
    expect(() => chunker.push(bytes(1))).toThrow(expect.objectContaining({ code: "actor.too_large" }));
    expect(() => chunker.end()).toThrow(expect.objectContaining({ code: "actor.too_large" }));
  });
});

test.each([0, 1, 2])("a length of %i, smaller than the header of 3 which it counts, fails with actor.malformed", (length) => {
  const chunker = createChunker({ ...tagged, headerLengthIncludesHeader: true });
  expect(chunker.push(bytes(9, 0, 4, 65, 9, 0, length))).toEqual([bytes(9, 0, 4, 65)]);
  expect(chunker.failure).toMatchObject({ code: "actor.malformed", details: { length, headerSize: 3 } });
});

describe("86 chunk options that mean nothing are refused", () => {
  test.each<[string, ChunkOptions, string]>([
    ["no header and no fixed length", {}, "chunk.headerSize"],
    ["a header of 0 bytes", { headerSize: 0, headerLengthSize: 2 }, "chunk.headerSize"],
    ["no size of the length", { headerSize: 4 }, "chunk.headerLengthSize"],
    ["a length of 3 bytes", { headerSize: 4, headerLengthSize: 3 as 4 }, "chunk.headerLengthSize"],
    ["a length beyond the header", { headerSize: 4, headerLengthPosition: 3, headerLengthSize: 2 }, "chunk.headerLengthPosition"],
    ["a negative position", { headerSize: 4, headerLengthPosition: -1, headerLengthSize: 2 }, "chunk.headerLengthPosition"],
    ["a negative fixed length", { fixedLength: -1 }, "chunk.fixedLength"],
    ["half a byte", { fixedLength: 1.5 }, "chunk.fixedLength"],
    ["a longest length that is no number", { ...tagged, maxLength: Number.NaN }, "chunk.maxLength"],
    ["an unknown option", { ...tagged, maxLenght: 5 } as ChunkOptions, "chunk.maxLenght"],
  ])("86 %s", (_, options, option) => {
    expect(() => createChunker(options)).toThrow(expect.objectContaining({ code: "actor.incorrect", details: { option } }));
  });
});
