import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeBatch, encodeBatch } from "../../src/link/codec.ts";
import { fromWireMessage, toWireMessage } from "../../src/link/frames.ts";
import { fromHttp, toBinaryHttp, toStructuredHttp } from "../../src/message/http.ts";
import { fromJsonEvent, toJsonEvent } from "../../src/message/json.ts";
import { createMessage, type Message, withHop } from "../../src/message/message.ts";
import { decodeProtobufEvent, encodeProtobufEvent, PROTOBUF_TYPE } from "../../src/message/protobuf.ts";

// Attribute values: well-formed Unicode without control characters, as CloudEvents allows.
const text = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 30 })
  .filter((value) => value.isWellFormed() && !/\p{Cc}/u.test(value));
const word = fc.stringMatching(/^[a-z][a-z0-9_-]{0,9}$/);
const moment = fc.date({ min: new Date(0), max: new Date("2100-01-01"), noInvalidDate: true }).map((date) => date.getTime());
const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown); // -0 is no JSON

const attributes = fc.record(
  {
    id: text,
    source: text,
    type: fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join(".")),
    subject: text,
    time: moment.map((ms) => new Date(ms).toISOString()),
    dataschema: text,
    deadline: moment,
    idempotencykey: text,
    typeversion: word,
    hops: fc.nat(1_000),
    traceparent: fc.constant("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    tracestate: word.map((name) => `${name}=1`),
  },
  { requiredKeys: ["id", "source", "type"] },
);
const payload = fc.oneof(
  fc.record({ data: json.filter((value) => value !== null) }),
  fc.record({ data: fc.uint8Array({ minLength: 1, maxLength: 100 }), datacontenttype: fc.constant("application/octet-stream") }),
  fc.record({
    data: fc.string({ unit: "grapheme", minLength: 1 }).filter((value) => value.isWellFormed()),
    datacontenttype: fc.constant("text/plain"),
  }),
  fc.constant({}),
);
const extensions = fc.dictionary(
  fc.stringMatching(/^x[a-z0-9]{1,10}$/),
  fc.oneof(
    text,
    fc.integer({ min: -2147483648, max: 2147483647 }).filter((value) => value > -2147483648),
    fc.boolean(),
  ),
  { maxKeys: 4 },
);
const message: fc.Arbitrary<Message> = fc
  .tuple(attributes, payload, extensions)
  .map(
    ([fields, data, extra]) =>
      ({ ...fields, ...data, ...(Object.keys(extra).length > 0 ? { extensions: { ...extra } } : {}) }) as Message,
  );

/** `Uint8Array` and Buffer are the same octets. */
function plain(value: Message): Message {
  return { ...value, ...(value.data instanceof Uint8Array ? { data: new Uint8Array(value.data) } : {}) };
}

describe("every form of a message", () => {
  test("brings back from structured JSON what went in", () => {
    fc.assert(
      fc.property(message, (given) => {
        expect(plain(fromJsonEvent(JSON.parse(JSON.stringify(toJsonEvent(given)))))).toEqual(given);
      }),
    );
  });

  test("brings back from protobuf what went in", () => {
    fc.assert(
      fc.property(message, (given) => {
        expect(plain(decodeProtobufEvent(encodeProtobufEvent(given)))).toEqual(given);
      }),
    );
  });

  test("brings back from a link what went in, one hop further and without the sender's deadline", () => {
    fc.assert(
      fc.property(message, (given) => {
        const [frame] = decodeBatch(encodeBatch([{ call: 1, request: { message: toWireMessage({ ...given, hops: 3 }, 1e6) } }]));
        const back = plain(fromWireMessage(frame?.request?.message ?? { id: "", source: "", type: "" }));
        expect(back).toEqual({ ...given, hops: 4, deadline: undefined });
      }),
    );
  });

  test("brings back from binary HTTP what went in, its extensions as text", () => {
    fc.assert(
      fc.property(message, (given) => {
        const { headers, body } = toBinaryHttp(given);
        for (const value of Object.values(headers)) expect(value).toMatch(/^[\x20-\x7e]*$/);
        const [back] = fromHttp(headers, body);
        const asText =
          given.extensions && Object.fromEntries(Object.entries(given.extensions).map(([name, value]) => [name, String(value)]));
        const isJson = given.data !== undefined && given.datacontenttype === undefined;
        expect(plain(back as Message)).toEqual({
          ...given,
          ...(asText ? { extensions: asText } : {}),
          ...(isJson ? { datacontenttype: "application/json" } : {}),
        });
      }),
    );
  });
});

describe("a message from outside", () => {
  const event = { specversion: "1.0", id: "1", source: "/s", type: "a.b" };

  test.each([
    ["no id", { ...event, id: undefined }, "/id"],
    ["an empty source", { ...event, source: "" }, "/source"],
    ["a type with a space", { ...event, type: "a b" }, "/type"],
    ["a pattern for a type", { ...event, type: "a.*" }, "/type"],
    ["a time that is none", { ...event, time: "yesterday" }, "/time"],
    ["a deadline that is none", { ...event, deadline: "soon" }, "/deadline"],
    ["a negative number of hops", { ...event, hops: -1 }, "/hops"],
    ["an extension that is an object", { ...event, custom: {} }, "/custom"],
    ["an extension in upper case", { ...event, Custom: "x" }, "/Custom"],
    ["a control character", { ...event, subject: "a\u0000b" }, "/subject"],
    ["a foreign version", { ...event, specversion: "0.3" }, "/specversion"],
    ["two payloads", { ...event, data: 1, data_base64: "AA==" }, "/data_base64"],
    ["a payload that is no base64", { ...event, data_base64: "%%" }, "/data_base64"],
    ["a broken traceparent", { ...event, traceparent: "00-zz" }, "/traceparent"],
  ])("with %s is refused with the path of it", (_what, given, path) => {
    expect(() => fromJsonEvent(given)).toThrowError(
      expect.objectContaining({ code: "message.invalid", details: expect.objectContaining({ path }) }),
    );
  });

  test("in a batch is refused with its index", () => {
    const body = Buffer.from(JSON.stringify([event, { ...event, id: "" }]));
    expect(() => fromHttp({ "content-type": "application/cloudevents-batch+json" }, body)).toThrowError(
      expect.objectContaining({ code: "message.invalid", details: { path: "/1/id" } }),
    );
  });

  test("that is malformed JSON is refused, not thrown as a syntax error", () => {
    expect(() => fromHttp({ "content-type": "application/cloudevents+json" }, Buffer.from("{"))).toThrowError(
      expect.objectContaining({ code: "message.invalid" }),
    );
  });

  test("in bytes that are no protobuf is refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          fromHttp({ "content-type": PROTOBUF_TYPE }, bytes);
        } catch (error) {
          expect(["message.invalid", "message.content_type"]).toContain((error as { code?: string }).code);
        }
      }),
    );
  });

  test("without any sign of being a CloudEvent is refused by its content type", () => {
    expect(() => fromHttp({ "content-type": "application/json" }, Buffer.from("{}"))).toThrowError(
      expect.objectContaining({ code: "message.content_type" }),
    );
  });

  test("keeps a null payload apart from none", () => {
    expect(fromJsonEvent({ ...event, data: null })).toHaveProperty("data", null);
    expect(fromJsonEvent(event)).not.toHaveProperty("data");
  });
});

describe("a new message", () => {
  test("gets an id, a time and the source of the node", () => {
    const made = createMessage({ type: "a.b" }, "/nodes/x");
    expect(made.source).toBe("/nodes/x");
    expect(made.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(Math.abs(Date.parse(made.time ?? "") - Date.now())).toBeLessThan(5_000);
  });

  test("gets ids of its own that sort by the millisecond of making", () => {
    const ids = Array.from({ length: 1_000 }, () => createMessage({ type: "a" }).id);
    expect(new Set(ids).size).toBe(1_000);
    const stamps = ids.map((id) => id.slice(0, 13)); // the 48 bits of the time
    expect(stamps.toSorted()).toEqual(stamps);
  });

  test("has a limit of hops, past which it is refused with call.hop_limit", () => {
    let passed: Message = createMessage({ type: "a" });
    for (let hop = 0; hop < 5; hop++) passed = withHop(passed, 5);
    expect(() => withHop(passed, 5)).toThrowError(expect.objectContaining({ code: "call.hop_limit" }));
  });

  test("survives structured HTTP", () => {
    const made = createMessage({ type: "a.b", data: { n: 1 } }, "/n");
    const { headers, body } = toStructuredHttp(made);
    expect(fromHttp(headers, Buffer.from(body))).toEqual([made]);
  });
});
