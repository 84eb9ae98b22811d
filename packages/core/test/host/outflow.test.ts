import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LineRing, Lines } from "../../src/host/lines.ts";
import { Packer, type Piece } from "../../src/host/outflow.ts";

/** Bytes with a lot of text in them, whole characters and broken ones, cut anywhere. */
const bytes = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary" }).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 6 }).map((raw) => Buffer.from(raw)),
    ),
    { maxLength: 8 },
  )
  .map((parts) => Buffer.concat(parts));
const cuts = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 });

function chunksOf(whole: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, turn = 0; at < whole.length; turn++) {
    const size = sizes[turn % sizes.length] as number;
    chunks.push(whole.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

function packed(whole: Buffer, sizes: readonly number[], packer: Packer): Piece[] {
  return [...chunksOf(whole, sizes).map((chunk) => packer.push(chunk)), packer.end()].filter((piece) => piece !== undefined);
}

describe("M-64: pieces of what a program writes", () => {
  test("M-64: hold every byte, however the pipe cuts them", () => {
    fc.assert(
      fc.property(bytes, cuts, (whole, sizes) => {
        for (const encoding of [undefined, "base64"] as const) {
          const pieces = packed(whole, sizes, new Packer(encoding));
          expect(Buffer.concat(pieces.map((piece) => Buffer.from(piece.data, piece.encoding))).equals(whole)).toBe(true);
          if (encoding === "base64") for (const piece of pieces) expect(piece.encoding).toBe("base64");
        }
      }),
    );
  });

  test("M-64: are text where it is text, with no character cut in two", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), cuts, (text, sizes) => {
        const pieces = packed(Buffer.from(text), sizes, new Packer());
        expect(pieces.map(({ data }) => data).join("")).toBe(text);
        for (const piece of pieces) expect(piece.encoding).toBe("utf8");
      }),
    );
  });
});

describe("M-64: lines of a log", () => {
  test("M-64: are the same however the file is read", () => {
    const text = fc.array(fc.constantFrom("a", "é", "𝄞", "\n", "\r\n", ""), { maxLength: 30 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, cuts, (whole, sizes) => {
        const lines = new Lines();
        const found = [...chunksOf(Buffer.from(whole), sizes).flatMap((chunk) => lines.push(chunk)), ...lines.end()];
        const expected = whole.split(/\r?\n/);
        expect(found).toEqual(expected.at(-1) === "" ? expected.slice(0, -1) : expected);
      }),
    );
  });

  test("M-64: are remembered up to a limit, and a reader that is slow is told what it has missed", async () => {
    const ring = new LineRing();
    const over = new AbortController();
    const reader = ring.follow(1, over.signal);
    ring.add("first");
    expect((await reader.next()).value).toEqual({ lines: ["first"] });
    for (let count = 1; count <= 40_000; count++) ring.add(String(count));
    expect(ring.last(2)).toEqual(["39999", "40000"]);
    expect(ring.last(100_000).length).toBeLessThanOrEqual(15_000);
    const { value } = await reader.next();
    expect([value?.lines[0], value?.lines.length, value?.leftOut]).toEqual(["1", 10_000, 30_000]);
    for (let count = 0; count < 1_000; count++) ring.add("x".repeat(16_384));
    expect(ring.last(100_000).join("").length).toBeLessThanOrEqual(6 * 1_024 * 1_024);
    over.abort();
    await reader.next();
    expect((await reader.next()).done).toBe(true);
  });
});
