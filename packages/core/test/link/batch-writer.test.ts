import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeBatch, encodeBatch } from "../../src/link/codec.ts";
import type { Frame } from "../../src/link/frames.ts";
import { loadProto } from "../../src/message/proto-root.ts";

const Batch = loadProto("metanode/v1/link.proto").lookupType("metanode.v1.Batch");

const uint32 = fc.oneof(fc.nat(300), fc.nat(0xffff_ffff));
const text = fc.string({ unit: "grapheme", maxLength: 120 }).filter((value) => value.isWellFormed());
const octets = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.integer({ min: 16_000, max: 40_000 }).map((length) => new Uint8Array(length).fill(7)),
);
const optional = { requiredKeys: ["id", "source", "type"] as const };

const message = fc.record(
  {
    id: text,
    source: text,
    type: text,
    subject: text,
    time: text,
    datacontenttype: text,
    dataschema: text,
    data: octets,
    traceparent: text,
    tracestate: text,
    idempotencykey: text,
    typeversion: text,
    hops: uint32,
    extensions: fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.record({ text }), { maxKeys: 2 }),
  },
  { requiredKeys: [...optional.requiredKeys] },
);
const request = fc.record({ message, timeoutMs: uint32, mode: fc.constantFrom(0, 1, 2, 3), window: uint32, attempt: uint32 });
const answer = fc.record({ data: octets, datacontenttype: text }, { requiredKeys: [] });
const frame = fc.oneof(
  fc.record({ call: uint32, request }),
  fc.record({ call: uint32, reply: answer }),
  fc.record({ call: uint32, item: answer }),
  fc.record({ call: uint32, failure: fc.record({ code: text, message: text }) }),
  fc.record({ call: uint32, credit: fc.record({ items: uint32 }) }),
) as unknown as fc.Arbitrary<Frame>;

/** Every field with its value, absent ones as readers see them. */
function read(bytes: Uint8Array): unknown {
  return Batch.toObject(Batch.decode(bytes), { defaults: true, bytes: Array, longs: Number });
}

describe("a batch written by hand", () => {
  test("says the same as one that the general encoder wrote", () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 5 }), (frames) => {
        expect(read(encodeBatch(frames))).toEqual(read(Batch.encode({ frames }).finish()));
      }),
    );
  });

  test("grows with what is written, and keeps every frame in its place", () => {
    const frames = Array.from({ length: 200 }, (_, call) => ({ call, reply: { data: new Uint8Array(call * 50).fill(call) } }));
    const back = decodeBatch(encodeBatch(frames));
    expect(back.map((one) => [one.call, one.reply?.data?.length])).toEqual(frames.map(({ call }) => [call, call * 50]));
  });
});
