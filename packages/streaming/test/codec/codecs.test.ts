import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Codec } from "../../src/codec/codec.ts";
import { codecs } from "../../src/codec/codecs.ts";
import { countLines } from "../../src/codec/lines.ts";
import { thrownBy } from "../graph/thrown.ts";

function decode(codec: Codec, chunks: readonly Uint8Array[], maxRecordBytes?: number): unknown[] {
  const decoder = codec.decoder(maxRecordBytes === undefined ? {} : { maxRecordBytes });
  const blocks = [...chunks.map((chunk) => decoder.push(Buffer.from(chunk))), decoder.end()];
  return blocks.flatMap((block) => {
    const values = block?.values() ?? [];
    expect(values).toHaveLength(block?.count ?? 0);
    return values;
  });
}

const asText = (record: unknown): unknown => (record instanceof Uint8Array ? Buffer.from(record).toString("latin1") : record);
const records = {
  frames: fc.array(fc.uint8Array({ maxLength: 20 })),
  netstrings: fc.array(fc.uint8Array({ maxLength: 20 })),
  lines: fc.array(fc.string({ unit: "grapheme", maxLength: 12 }).filter((text) => !text.includes("\n"))),
  json: fc.array(fc.jsonValue({ maxDepth: 2 })),
} as const;

describe.each(Object.values(codecs))("the codec $name", (codec) => {
  const any: fc.Arbitrary<unknown[]> = records[codec.name as keyof typeof records];

  test("finds the same records, wherever the bytes are cut", () => {
    fc.assert(
      fc.property(any, fc.array(fc.nat()), (given, cuts) => {
        const bytes = codec.encode(given);
        const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((one, other) => one - other);
        const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
        const expected = codec.name === "json" ? given.map((value) => JSON.parse(JSON.stringify(value))) : given.map(asText);
        expect(decode(codec, chunks).map(asText)).toEqual(expected);
      }),
    );
  });

  test("splits a block where it is told to, without losing a byte", () => {
    fc.assert(
      fc.property(any, fc.nat(), (given, place) => {
        const block = codec.decoder().push(codec.encode(given));
        if (block === undefined) return;
        const count = place % (block.count + 1);
        const [one, other] = codec.split(block, count);
        expect([one.count, other.count]).toEqual([count, block.count - count]);
        expect(Buffer.concat([one.bytes, other.bytes])).toEqual(block.bytes);
        expect([...one.values(), ...other.values()].map(asText)).toEqual(block.values().map(asText));
      }),
    );
  });

  test("refuses a record over its limit", () => {
    const bytes = codec.encode(["x".repeat(100)]);
    for (const size of [1, bytes.length]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      const refuse = (): unknown =>
        decode(codec, codec.name === "lines" || codec.name === "json" ? [...chunks, bytes] : chunks, 50);
      if (size === 1 || codec.name === "frames" || codec.name === "netstrings") {
        expect(thrownBy(refuse)).toMatchObject({ code: "stream.record_too_large" });
      }
    }
  });
});

describe("frames", () => {
  const { frames } = codecs;

  test("are a length of four bytes, highest first, and the bytes", () => {
    expect(frames.encode(["Hello"]).toString("hex")).toBe("0000000548656c6c6f");
    expect(frames.encode([""]).toString("hex")).toBe("00000000");
  });

  test("that announce 4 GiB are refused at their header", () => {
    expect(thrownBy(() => frames.decoder().push(Buffer.from("ffffffff", "hex")))).toMatchObject({
      code: "stream.record_too_large",
      message: expect.stringContaining("4294967295 bytes"),
    });
  });

  test("that end in the middle are an error", () => {
    const decoder = frames.decoder();
    decoder.push(Buffer.from("0000000548656c", "hex"));
    expect(thrownBy(() => decoder.end())).toMatchObject({
      code: "stream.codec",
      message: expect.stringContaining("7 bytes into a record, expected 9"),
    });
  });
});

describe("netstrings", () => {
  test("are a length in digits, a colon, the bytes and a comma", () => {
    expect(codecs.netstrings.encode(["hello world!", ""]).toString()).toBe("12:hello world!,0:,");
  });

  test.each(["x:,", "01:a,", ":a,", "1a:,", "1:ab", "-1:,"])("refuse %s", (text) => {
    expect(thrownBy(() => codecs.netstrings.decoder().push(Buffer.from(text)))).toMatchObject({ code: "stream.codec" });
  });
});

describe("lines", () => {
  test("take a last line without its newline", () => {
    expect(decode(codecs.lines, [Buffer.from("one\ntw"), Buffer.from("o")])).toEqual(["one", "two"]);
  });

  test("take text with a newline for no record", () => {
    expect(thrownBy(() => codecs.lines.encode(["a\nb"]))).toMatchObject({ code: "stream.record" });
  });

  test("of JSON say what is none", () => {
    const block = codecs.json.decoder().push(Buffer.from("{nope}\n"));
    expect(thrownBy(() => block?.values())).toMatchObject({ code: "stream.codec", message: expect.stringContaining("{nope}") });
  });

  test("are counted right, however long they are and wherever they lie in memory", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(200), { minLength: 60, maxLength: 200 }), fc.nat(7), (lengths, offset) => {
        const text = Buffer.from(
          `${"#".repeat(offset)}${lengths.map((length) => `${"\u000b\u0009x".repeat(length).slice(0, length)}\n`).join("")}`,
        );
        expect(countLines(text.subarray(offset))).toBe(lengths.length);
        const short = Buffer.from(`${"#".repeat(offset)}${lengths.map((length) => `${"x".repeat(length % 4)}\n`).join("")}`);
        expect(countLines(short.subarray(offset))).toBe(lengths.length);
      }),
    );
  });
});
