import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSseParser, encodeSse, encodeSseComment, type SseEvent, type SseMessage } from "../../src/splitting/sse.ts";
import { byteByByte, cutBytes, readAll, utf8 } from "./reads.ts";

const eventsOf = (text: string): SseEvent[] => readAll(createSseParser(), [utf8(text)]).pieces;
const event = (data: string, more: Partial<SseEvent> = {}): SseEvent => ({ event: "message", data, lastEventId: "", ...more });

describe("an event that is written", () => {
  test("has a field on each line and ends with an empty one", () => {
    expect(encodeSse({ event: "tick", id: "7", retryMs: 250, data: "x" })).toBe("event: tick\nid: 7\nretry: 250\ndata: x\n\n");
  });

  test("has a data line for each line of its data", () => {
    expect(encodeSse({ data: "a\nb\r\nc\rd" })).toBe("data: a\ndata: b\ndata: c\ndata: d\n\n");
  });

  test.each<[string, SseMessage]>([
    ["a line break in its type", { event: "a\ndata: b" }],
    ["a carriage return in its id", { id: "a\rb" }],
    ["a NUL in its id", { id: "a\0b" }],
    ["a retry of half a millisecond", { retryMs: 0.5 }],
    ["a negative retry", { retryMs: -1 }],
  ])("is refused with %s", (_, message) => {
    expect(() => encodeSse(message)).toThrow(expect.objectContaining({ code: "actor.incorrect" }));
  });
});

describe("a comment", () => {
  test("is a line of its own, and no event to a reader", () => {
    expect(encodeSseComment("still\nhere")).toBe(": still\n: here\n\n");
    expect(eventsOf(`${encodeSseComment("data: no")}data: yes\n\n`)).toEqual([event("yes")]);
  });
});

describe("a stream of events that is read", () => {
  test("joins data lines with line feeds, drops one space after the colon, and knows a field without one", () => {
    expect(eventsOf("data: a\ndata:  b\ndata\ndata:c\n\n")).toEqual([event("a\n b\n\nc")]);
  });

  test("gives no event without data, and forgets its type", () => {
    expect(eventsOf("event: lost\n\ndata: x\n\n")).toEqual([event("x")]);
    expect(eventsOf("data\n\n")).toEqual([event("")]);
  });

  test("keeps the last id over events, until an empty one; an id with a NUL is ignored", () => {
    expect(eventsOf("id: 1\ndata: a\n\nid: 2\0\ndata: b\n\nid\ndata: c\n\n")).toEqual([
      event("a", { lastEventId: "1" }),
      event("b", { lastEventId: "1" }),
      event("c"),
    ]);
  });

  test("tells what a reader needs to come back: the id of the last whole event, and the wait", () => {
    const parser = createSseParser();
    parser.push(utf8("id: 1\nretry: 1500\ndata: a\n\nretry: soon\nid: 2\ndata: b\n"));
    expect(parser.lastEventId).toBe("1");
    expect(parser.retryMs).toBe(1500);
  });

  test("may end lines with line feed, carriage return, or both, and begin with a byte order mark", () => {
    expect(eventsOf("\ufeffdata: a\r\n\r\ndata: b\r\rdata: c\n\n")).toEqual([event("a"), event("b"), event("c")]);
  });

  test("waits for no more bytes after a carriage return that ends an event", () => {
    const parser = createSseParser();
    expect(parser.push(utf8("data: a\r\n\r"))).toEqual([event("a")]);
    expect(parser.push(utf8("\ndata: b\n\n"))).toEqual([event("b")]);
  });

  test("takes carriage return and line feed for one end of a line, in reads of their own as well", () => {
    const reads = ["data: a\r", "", "\ndata: b\r", "\n", "\r\n"].map(utf8);
    expect(readAll(createSseParser(), reads).pieces).toEqual([event("a\nb")]);
  });

  test("begins with the id of an earlier stream until it reads another", () => {
    const parser = createSseParser({ lastEventId: "7" });
    expect(parser.push(utf8("data: a\n\nid: 8\ndata: b\n\n"))).toEqual([
      event("a", { lastEventId: "7" }),
      event("b", { lastEventId: "8" }),
    ]);
  });

  test("ignores fields that nobody knows", () => {
    expect(eventsOf("colour: red\nevents\ndata: a\n\n")).toEqual([event("a")]);
  });

  test("drops an event that the end of the stream cuts off", () => {
    expect(eventsOf("data: a\n\ndata: b\n")).toEqual([event("a")]);
  });

  test("is the same however it is split into reads", () => {
    const text = fc.string({
      unit: fc.constantFrom("data", "id", "event", ":", " ", "\r", "\n", "é", "🎈", "\ufeff", "x"),
      maxLength: 120,
    });
    fc.assert(
      fc.property(cutBytes(text, utf8), ([stream, reads]) => {
        const whole = readAll(createSseParser({ maxLength: 24 }), [utf8(stream)]);
        expect(readAll(createSseParser({ maxLength: 24 }), reads)).toEqual(whole);
        expect(readAll(createSseParser({ maxLength: 24 }), byteByByte(utf8(stream)))).toEqual(whole);
      }),
    );
  });

  test("gives back what was written, however it is split into reads", () => {
    const line = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll(/[\r\n\0]/g, ""));
    const messages = fc.array(
      fc.record({ event: line, data: fc.array(line, { minLength: 1 }).map((lines) => lines.join("\n")), id: line }),
    );
    fc.assert(
      fc.property(
        cutBytes(messages, (all) => utf8(all.map(encodeSse).join(encodeSseComment("between")))),
        ([all, reads]) => {
          const expected = all.map(({ event: type, data, id }) => ({
            event: type === "" ? "message" : type,
            data,
            lastEventId: id,
          }));
          expect(readAll(createSseParser(), reads)).toEqual({ pieces: expected, failure: undefined });
        },
      ),
    );
  });

  test("fails with actor.too_large on an endless line and on endless data, after the events before", () => {
    expect(readAll(createSseParser({ maxLength: 20 }), [utf8(`data: a\n\n: ${"x".repeat(20)}`)])).toEqual({
      pieces: [event("a")],
      failure: "actor.too_large",
    });
    const parser = createSseParser({ maxLength: 20 });
    for (let i = 0; i < 4; i++) parser.push(utf8("data: 12345\n"));
    expect(parser.failure?.code).toBe("actor.too_large");
    expect(() => parser.push(utf8("\n"))).toThrow(expect.objectContaining({ code: "actor.too_large" }));
    expect(() => parser.end()).toThrow(expect.objectContaining({ code: "actor.too_large" }));
  });
});
