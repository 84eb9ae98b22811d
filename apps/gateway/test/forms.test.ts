import { createMessage, type Message, toBinaryHttp, toStructuredHttp } from "@metanode/core";
import { encodeProtobufEvent, PROTOBUF_TYPE } from "@metanode/core/internal";
import { CloudEvent, HTTP } from "cloudevents";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { problemOf, type TestGateway, testGateway } from "./harness.ts";

type Body = NonNullable<RequestInit["body"]>;

let subject: TestGateway;
beforeAll(async () => {
  subject = await testGateway();
});
afterAll(() => subject[Symbol.asyncDispose]());

const attributes = {
  id: "form-1",
  source: "https://shop.example/checkout",
  type: "test.envelope",
  subject: "Größe „M“ 100 %",
  time: "2026-11-20T10:00:00.000Z",
};

async function envelopeOf(headers: Record<string, string>, body: Body): Promise<Message> {
  const response = await subject.request("/messages", { method: "POST", headers, body });
  expect(response.status).toBe(200);
  return (await response.json()) as Message;
}

describe("one event in each form of the HTTP binding", () => {
  const message = createMessage({ ...attributes, data: { amount: 2 }, extensions: { region: "eu" } });
  const structured = toStructuredHttp(message);
  const binary = toBinaryHttp(message);
  const forms: [string, Record<string, string>, Body][] = [
    ["structured JSON", structured.headers, structured.body],
    ["binary", binary.headers, Buffer.from(binary.body)],
    ["protobuf", { "content-type": PROTOBUF_TYPE }, Buffer.from(encodeProtobufEvent(message))],
  ];

  test.each(forms)("reaches the handler with the same attributes: %s", async (_form, headers, body) => {
    expect(await envelopeOf(headers, body)).toMatchObject({ ...attributes, extensions: { region: "eu" } });
  });
});

describe("events written by the CloudEvents SDK", () => {
  const event = new CloudEvent({ ...attributes, subject: "order-7", data: { amount: 2 }, region: "eu" });

  test.each(["binary", "structured"] as const)("are understood in %s mode", async (mode) => {
    const { headers, body } = HTTP[mode](event);
    const seen = await envelopeOf(headers as Record<string, string>, body as string);
    expect(seen).toMatchObject({ id: event.id, source: event.source, type: event.type, extensions: { region: "eu" } });
    expect(Date.parse(seen.time ?? "")).toBe(Date.parse(event.time ?? ""));
  });

  test("carry their payload", async () => {
    const { headers, body } = HTTP.structured(new CloudEvent({ ...attributes, type: "test.echo", data: { amount: 2 } }));
    const response = await subject.request("/messages", {
      method: "POST",
      headers: headers as Record<string, string>,
      body: body as string,
    });
    expect(await response.json()).toEqual({ amount: 2 });
  });
});

describe("octets", () => {
  test("travel in binary mode as they are, in both directions", async () => {
    const bytes = Buffer.from([0, 1, 254, 255]);
    const { headers } = toBinaryHttp(createMessage({ type: "test.echo", source: "/test", data: new Uint8Array(bytes) }));
    const response = await subject.request("/messages", { method: "POST", headers, body: bytes });
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
  });
});

describe("a batch of more events than may be in flight at once", () => {
  test("is refused as a whole", async () => {
    const event = { specversion: "1.0", id: "many", source: "/test", type: "test.nothing" };
    const body = JSON.stringify(Array.from({ length: 10_001 }, () => event));
    const response = await subject.request("/messages", {
      method: "POST",
      headers: { "content-type": "application/cloudevents-batch+json" },
      body,
    });
    expect(await problemOf(response)).toMatchObject({
      httpStatus: 413,
      code: "message.too_large",
      details: { events: 10_001, limit: 10_000 },
    });
  });
});
