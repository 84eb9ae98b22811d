import { MetanodeError } from "@metanode/core/errors";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { actorError } from "../../src/errors.ts";
import {
  Alias,
  EventName,
  MessageDown,
  MessageEvent,
  MessageEventStart,
  MessageEventStop,
  MessageExit,
  MessageFallback,
  PID,
  ProcessName,
  Ref,
  Terminate,
} from "../../src/index.ts";
import { decode } from "../../src/remote/codec/decode.ts";
import { encode } from "../../src/remote/codec/encode.ts";
import { Reader } from "../../src/remote/codec/reader.ts";
import { TypeTable, type WireTypes } from "../../src/remote/codec/types.ts";
import { Writer } from "../../src/remote/codec/writer.ts";
import { readPayload, writePayload } from "../../src/remote/payload.ts";

const code = (value: string) => expect.objectContaining({ code: value });

/** Both ends of one direction of a connection, from a@here to b@here. */
function wire(types: { sent?: WireTypes; received?: WireTypes } = {}) {
  const leaving: Ref[] = [];
  const writer = new Writer({
    node: "a@here",
    creation: 100,
    peer: "b@here",
    peerCreation: 200,
    types: new TypeTable(types.sent),
    now: () => 50_000,
    onRef: (ref) => leaving.push(ref),
  });
  const reader = new Reader({
    node: "b@here",
    creation: 200,
    peer: "a@here",
    peerCreation: 100,
    types: new TypeTable(types.received ?? types.sent),
    now: () => 90_000,
    ownPid: () => undefined,
    ownRef: () => undefined,
  });
  const send = (value: unknown): Uint8Array => {
    writer.begin();
    encode(writer, value);
    return writer.take();
  };
  const receive = (bytes: Uint8Array): unknown => {
    reader.open(bytes);
    const value = decode(reader);
    expect(reader.isAtEnd).toBe(true);
    return value;
  };
  return { writer, reader, leaving, send, receive, across: (value: unknown) => receive(send(value)) };
}

describe("a value that goes to another node", () => {
  test("arrives as structured cloning would copy it", () => {
    const { across } = wire();
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: false,
      withNullPrototype: false,
    });
    fc.assert(
      fc.property(anything, (value) => {
        expect(across(value)).toStrictEqual(structuredClone(value));
      }),
      { numRuns: 500 },
    );
  });

  test.each<[string, unknown]>([
    ["-0", -0],
    ["NaN", Number.NaN],
    ["numbers at the edges", [127, 128, -1, -129, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 53, -(2 ** 53), 1e300, 5e-324]],
    ["half a character", "\ud800 \udfff"],
    ["texts of all lengths", Array.from({ length: 200 }, (_, n) => "é".repeat(n) + "x".repeat(n))],
    ["a long text", "x".repeat(100_000)],
    ["a regular expression", /a(b)?\/c/giu],
    ["a buffer of bytes", new Uint8Array([1, 2, 3]).buffer],
    ["views of bytes", [new Float64Array([1.5]), new BigInt64Array([-1n]), new DataView(new ArrayBuffer(3))]],
    ["a key that others stumble over", JSON.parse('{"__proto__": {"polluted": 1}, "constructor": 2}')],
  ])("keeps %s", (_name, value) => {
    const { across } = wire();
    expect(across(value)).toStrictEqual(value);
  });

  test("keeps a Buffer a Buffer, and shares no memory with it", () => {
    const { send, receive } = wire();
    const sent = Buffer.from("hello");
    const bytes = send(sent);
    const got = receive(bytes) as Buffer;
    bytes.fill(0);
    expect(Buffer.isBuffer(got)).toBe(true);
    expect(got.toString()).toBe("hello");
  });

  test("keeps the class of addresses, whichever node and life they are of", () => {
    const { across } = wire();
    const lives: [string, number][] = [
      ["a@here", 100],
      ["a@here", 99],
      ["b@here", 200],
      ["b@here", 199],
      ["c@there", 7],
    ];
    for (const [node, creation] of lives) {
      for (const address of [new PID(node, 2 ** 40, creation), new Alias(node, 3, creation)]) {
        expect(across(address)).toStrictEqual(address);
      }
      for (const address of [new ProcessName("name", node), new EventName("event", node)]) {
        expect(across(address)).toStrictEqual(address);
      }
    }
    expect(across(new ProcessName("near"))).toStrictEqual(new ProcessName("near", "a@here"));
    expect(across({ deep: [new PID("a@here", 5, 100)] })).toStrictEqual({ deep: [new PID("a@here", 5, 100)] });
  });

  test("keeps a ref, whose deadline is as far away as before, by the clock there", () => {
    const { across, leaving } = wire();
    const ref = new Ref("a@here", 9, 100, 51_500);
    expect(across(ref)).toStrictEqual(new Ref("a@here", 9, 100, 91_500));
    expect(across(new Ref("a@here", 9, 100, 1))).toMatchObject({ deadlineMs: 90_001 });
    expect(across(new Ref("b@here", 9, 200))).toMatchObject({ node: "b@here", deadlineMs: 0 });
    expect(leaving).toHaveLength(3);
  });

  test("keeps the class of system messages", () => {
    const { across } = wire();
    const pid = new PID("a@here", 1, 100);
    const messages = [
      new MessageExit("pid", pid, "kill"),
      new MessageDown("node", "c@there", "normal"),
      new MessageEvent(new EventName("e", "a@here"), 12.5, { payload: true }),
      new MessageEventStart("e"),
      new MessageEventStop("e"),
      new MessageFallback(pid, "tag", new ProcessName("n", "b@here"), "mail"),
    ];
    for (const message of messages) expect(across(message)).toStrictEqual(message);
    expect(across(new Terminate("shutdown", 3))).toMatchObject({ reason: "shutdown", answer: 3 });
  });

  test("keeps code, details and cause of an error, and notes where it came from", () => {
    const { across } = wire();
    const sent = actorError("actor.mailbox_full", "full", { details: { limit: 2 }, cause: new TypeError("why") });
    const got = across(sent) as MetanodeError;
    expect(got).toBeInstanceOf(MetanodeError);
    expect(got).toMatchObject({ code: "actor.mailbox_full", message: "full", details: { limit: 2 }, retryable: true });
    expect(got.origin).toEqual(["a@here"]);
    expect(got.cause).toMatchObject({ name: "TypeError", message: "why" });
    const foreign = across(new RangeError("too far", { cause: "text" })) as Error;
    expect(foreign).toBeInstanceOf(Error);
    expect(foreign).toMatchObject({ name: "RangeError", message: "too far", cause: "text", stack: expect.any(String) });
  });

  test("is an error even where its parts cannot be sent: the reason of an end must be told", () => {
    const { across } = wire();
    const loop: Error & { cause?: unknown } = new Error("loop");
    loop.cause = loop;
    expect(across(loop)).toMatchObject({ message: "loop", cause: { message: "loop" } });
    const details = { big: 1n } as never;
    expect(across(actorError("actor.panic", "odd", { details, cause: () => 1 }))).toMatchObject({ code: "actor.panic" });
  });

  test.each<[string, unknown]>([
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["a promise", Promise.resolve()],
    ["a weak map", new WeakMap()],
    ["shared memory", new SharedArrayBuffer(1)],
    ["a view of shared memory", new Uint8Array(new SharedArrayBuffer(1))],
    ["a class", class Named {}],
  ])("is refused if it holds %s", (_name, value) => {
    const { send } = wire();
    expect(() => send({ deep: [value] })).toThrow(code("actor.not_sendable"));
  });

  test("is refused if it holds itself", () => {
    const { send } = wire();
    const loop: { self?: unknown } = {};
    loop.self = loop;
    expect(() => send(loop)).toThrow(code("actor.not_sendable"));
  });
});

class Money {
  readonly cents: number;
  constructor(cents: number) {
    this.cents = cents;
  }
  get euros(): number {
    return this.cents / 100;
  }
}

class Secret {
  #inside: string;
  constructor(inside: string) {
    this.#inside = inside;
  }
  reveal(): string {
    return this.#inside;
  }
}

describe("an instance of a class of one's own", () => {
  test("arrives as its fields, if the class is not registered", () => {
    expect(wire().across(new Money(250))).toStrictEqual({ cents: 250 });
  });

  test("keeps its class if that is registered, by its fields or in its own way", () => {
    const types: WireTypes = {
      Money,
      Secret: { class: Secret, encode: (it) => (it as Secret).reveal(), decode: (sent) => new Secret(String(sent)) },
    };
    const { across } = wire({ sent: types });
    const [money, secret] = across([new Money(250), new Secret("x")]) as [Money, Secret];
    expect(money).toBeInstanceOf(Money);
    expect([money.euros, secret.reveal()]).toEqual([2.5, "x"]);
  });

  test("spoils its message only, if the other side does not know the class or refuses what was sent", () => {
    const refusing = (): never => {
      throw new Error("no");
    };
    for (const received of [{}, { Money: { class: Money, decode: refusing } }] as WireTypes[]) {
      const { writer, reader } = wire({ sent: { Money }, received });
      writer.begin();
      writePayload(writer, [new Money(1), "next"], 1_000);
      writePayload(writer, { intact: true }, 1_000);
      reader.open(writer.take());
      readPayload(reader, 1_000);
      expect(reader.fault).toEqual(code("actor.malformed"));
      expect(readPayload(reader, 1_000)).toEqual({ intact: true });
      expect(reader.fault).toBeUndefined();
    }
  });

  test("cannot have two names", () => {
    expect(() => new TypeTable({ A: Money, B: Money })).toThrow(code("actor.incorrect"));
    expect(() => new TypeTable({ A: 5 as never })).toThrow(code("actor.incorrect"));
  });
});

describe("the keys of objects", () => {
  test("cross once", () => {
    const { send, receive } = wire();
    const value = { aRatherLongKey: 1, anotherOne: 2 };
    const [first, second] = [send(value), send(value)];
    expect(second.byteLength).toBeLessThan(first.byteLength / 3);
    expect([receive(first), receive(second)]).toEqual([value, value]);
  });

  test("of a message that was taken back are forgotten on both sides", () => {
    const { writer, send, receive } = wire();
    const first = send({ known: 1 });
    writer.begin();
    expect(() => encode(writer, { lost: 1, bad: () => 1 })).toThrow();
    writer.abort();
    const second = send({ fresh: 1, known: 2, lost: 3 });
    expect([receive(first), receive(second)]).toEqual([{ known: 1 }, { fresh: 1, known: 2, lost: 3 }]);
  });

  test("may be more than are remembered", () => {
    const { across } = wire();
    const many = (from: number) => Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`key${from + n}`, n]));
    for (const value of [many(0), many(3_000), many(0), many(6_000), many(3_000)]) expect(across(value)).toEqual(value);
  });
});

describe("a large message", () => {
  const large = { text: "abc".repeat(2_000) };

  test.each(["gzip", "zlib"] as const)("is compressed by %s from its threshold on, and arrives the same", (type) => {
    const { writer, reader } = wire();
    writer.begin();
    writePayload(writer, large, 100_000, { type, level: 9 });
    writePayload(writer, large, 100_000, { type, thresholdBytes: 50_000 });
    writePayload(writer, { text: "small" }, 100_000, { type });
    const bytes = writer.take();
    expect(bytes.byteLength).toBeGreaterThan(6_000);
    expect(bytes.byteLength).toBeLessThan(6_300);
    reader.open(bytes);
    expect([0, 0, 0].map(() => readPayload(reader, 100_000))).toEqual([large, large, { text: "small" }]);
  });

  test("goes as it is where compression gains nothing", () => {
    const { writer, reader } = wire();
    const random = crypto.getRandomValues(new Uint8Array(2_000));
    writer.begin();
    writePayload(writer, random, 100_000, { type: "gzip" });
    const bytes = writer.take();
    expect(bytes.byteLength).toBeLessThan(2_010);
    reader.open(bytes);
    expect(readPayload(reader, 100_000)).toEqual(random);
  });

  test("counts by its uncompressed size against the limit", () => {
    const { writer } = wire();
    writer.begin();
    expect(() => writePayload(writer, large, 5_000, { type: "gzip" })).toThrow(code("actor.too_large"));
  });

  test("over the limit of whoever receives it is a fault, compressed or not, and the next one can be read", () => {
    for (const compression of [undefined, { type: "gzip" } as const]) {
      const { writer, reader } = wire();
      writer.begin();
      writePayload(writer, large, 100_000, compression);
      writePayload(writer, large, 100_000, compression);
      reader.open(writer.take());
      readPayload(reader, 5_000);
      expect(reader.fault).toEqual(code("actor.too_large"));
      expect(readPayload(reader, 100_000)).toEqual(large);
    }
  });
});

describe("bytes that no kernel wrote", () => {
  test("are refused as malformed, or read as something, and never do more", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const { reader } = wire();
        reader.open(bytes);
        try {
          readPayload(reader, 10_000);
        } catch (error) {
          expect(error).toEqual(code("actor.malformed"));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("that are a message cut short or changed are refused as malformed, or read as something", () => {
    const { send } = wire();
    const bytes = send([{ a: 1, b: "text" }, new PID("c@x", 1, 2), new Map([[1, new Date(0)]]), new Error("e"), 5n, 1.5]);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), (at, value, isCut) => {
        const changed = isCut ? bytes.slice(0, at) : Uint8Array.from(bytes, (byte, n) => (n === at ? value : byte));
        const { reader } = wire();
        reader.open(changed);
        try {
          readPayload(reader, 10_000);
        } catch (error) {
          expect(error).toEqual(code("actor.malformed"));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("that nest without end are refused", () => {
    const { reader } = wire();
    const nested = new Uint8Array(100_000);
    for (let at = 0; at < nested.length; at += 2) nested.set([9, 1], at);
    reader.open(nested);
    expect(() => decode(reader)).toThrow(code("actor.malformed"));
  });
});
