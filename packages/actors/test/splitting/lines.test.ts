import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createLineSplitter, type LineOptions } from "../../src/splitting/lines.ts";
import { byteByByte, cutBytes, readAll, utf8 } from "./reads.ts";

const linesOf = (text: string, options = {}): string[] => readAll(createLineSplitter(options), [utf8(text)]).pieces;

describe("text in lines", () => {
  test("comes without its delimiters, empty lines included", () => {
    expect(linesOf("a\n\nb\n")).toEqual(["a", "", "b"]);
  });

  test("may end its lines with carriage return and line feed; a return elsewhere is text", () => {
    expect(linesOf("a\r\nb\rc\r\r\n\r\n")).toEqual(["a", "b\rc\r", ""]);
  });

  test("gives what stands after the last delimiter when the stream ends", () => {
    expect(linesOf("a\nrest")).toEqual(["a", "rest"]);
    expect(linesOf("")).toEqual([]);
  });

  test("keeps a character whole that is split across reads", () => {
    expect(readAll(createLineSplitter(), byteByByte(utf8("grün\n漢字\n🎈\n"))).pieces).toEqual(["grün", "漢字", "🎈"]);
  });

  test("shows bytes that are not UTF-8 as U+FFFD", () => {
    expect(createLineSplitter().push(Uint8Array.of(65, 0xff, 66, 10))).toEqual(["A\ufffdB"]);
  });

  test("is the same however it is split into reads", () => {
    const lines = fc.array(
      fc.string({ unit: "grapheme", maxLength: 20 }).map((line) => line.replaceAll(/[\r\n]/g, "")),
      { maxLength: 20 },
    );
    const ends = fc.constantFrom("\n", "\r\n");
    fc.assert(
      fc.property(
        cutBytes(fc.tuple(lines, ends), ([texts, end]) => utf8(texts.map((text) => text + end).join(""))),
        ([[texts], reads]) => {
          expect(readAll(createLineSplitter(), reads).pieces).toEqual(texts);
        },
      ),
    );
  });
});

describe("a delimiter of one's own", () => {
  test("ends tokens, and a line feed is text then", () => {
    expect(linesOf("a\r\n--b--", { delimiter: "--" })).toEqual(["a\r\n", "b"]);
  });

  test("may be of any characters, and is found wherever the reads are cut", () => {
    const delimiter = fc.string({ unit: fc.constantFrom("a", "b", "é"), minLength: 1, maxLength: 4 });
    const text = fc.string({ unit: fc.constantFrom("a", "b", "é", "\n"), maxLength: 120 });
    fc.assert(
      fc.property(
        cutBytes(fc.tuple(delimiter, text), ([, stream]) => utf8(stream)),
        ([[end, stream], reads]) => {
          const expected = stream.split(end);
          if (expected.at(-1) === "") expected.pop();
          expect(readAll(createLineSplitter({ delimiter: end }), reads).pieces).toEqual(expected);
        },
      ),
    );
  });
});

describe("a token over the limit", () => {
  test("fails with actor.too_large, by default above 64 KiB", () => {
    const exact = "x".repeat(65_536);
    expect(linesOf(`${exact}\r\n${exact}`)).toEqual([exact, exact]);
    expect(readAll(createLineSplitter(), [utf8(`a\n${exact}x\nb\n`)])).toEqual({ pieces: ["a"], failure: "actor.too_large" });
  });

  test("is not one that is just as long and whose delimiter comes in pieces", () => {
    expect(readAll(createLineSplitter({ maxBytes: 4 }), byteByByte(utf8("four\r\nfour\n"))).pieces).toEqual(["four", "four"]);
    const options = { maxBytes: 4, delimiter: "<end>" };
    expect(readAll(createLineSplitter(options), byteByByte(utf8("four<end>four<end>"))).pieces).toEqual(["four", "four"]);
  });

  test("fails before its delimiter has come, so that memory stays bounded", () => {
    const splitter = createLineSplitter({ maxBytes: 10 });
    splitter.push(utf8("x".repeat(12)));
    expect(splitter.failure).toMatchObject({ code: "actor.too_large", details: { maxBytes: 10 } });
    expect(() => splitter.push(utf8("\n"))).toThrow(expect.objectContaining({ code: "actor.too_large" }));
    expect(() => splitter.end()).toThrow(expect.objectContaining({ code: "actor.too_large" }));
  });

  test("fails after the same tokens, however the stream is split", () => {
    const text = fc.string({ unit: fc.constantFrom("x", "é", "\r", "\n"), maxLength: 80 });
    const options = fc.record({
      maxBytes: fc.integer({ min: 1, max: 6 }),
      delimiter: fc.option(fc.constantFrom("\n", "xé", "\r\n"), { nil: undefined }),
    });
    fc.assert(
      fc.property(cutBytes(text, utf8), options, ([stream, reads], { maxBytes, delimiter }) => {
        const given = delimiter === undefined ? { maxBytes } : { maxBytes, delimiter };
        expect(readAll(createLineSplitter(given), reads)).toEqual(readAll(createLineSplitter(given), [utf8(stream)]));
      }),
    );
  });
});

test.each<[string, LineOptions, string]>([
  ["an empty delimiter", { delimiter: "" }, "lines.delimiter"],
  ["a limit of nothing", { maxBytes: 0 }, "lines.maxBytes"],
  ["an unknown option", { max: 3 } as LineOptions, "lines.max"],
])("%s is refused with actor.incorrect", (_, options, option) => {
  expect(() => createLineSplitter(options)).toThrow(expect.objectContaining({ code: "actor.incorrect", details: { option } }));
});
