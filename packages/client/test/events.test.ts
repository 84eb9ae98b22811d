import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { answerOf, createClient, events, type ServerEvent } from "../src/index.ts";

let server: Server;
afterEach(() => server.close());

/** A server that writes these pieces of text, each by itself. */
async function answering(
  status: number,
  mediaType: string,
  pieces: readonly string[],
): Promise<{ url: string; asked: Record<string, unknown>[] }> {
  const asked: Record<string, unknown>[] = [];
  server = createServer((request, response) => {
    asked.push({ url: request.url, ...request.headers });
    response.writeHead(status, { "content-type": mediaType });
    const next = (index: number): void => {
      const piece = pieces[index];
      if (piece === undefined) response.end();
      else response.write(piece, () => setImmediate(next, index + 1));
    };
    next(0);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

async function read(pieces: readonly string[]): Promise<ServerEvent[]> {
  const { url } = await answering(200, "text/event-stream", pieces);
  const found: ServerEvent[] = [];
  for await (const event of events(createClient({ url }), "/events")) found.push(event);
  return found;
}

describe("events", () => {
  test("are cut out of the stream wherever it is cut", async () => {
    const text = ': open\n\nevent: step\nid: a-1\ndata: {"x":\ndata: 1}\n\ndata: plain\r\n\r\nid: a-2\ndata:nospace\n\n';
    const expected = [
      { event: "step", id: "a-1", data: '{"x":\n1}' },
      { event: "message", id: "a-1", data: "plain" },
      { event: "message", id: "a-2", data: "nospace" },
    ];
    expect(await read([text])).toEqual(expected);
    expect(await read([...text])).toEqual(expected);
  });

  test("ask with the token, for events, after the last id", async () => {
    const { url, asked } = await answering(200, "text/event-stream", ["data: 1\n\n"]);
    let opened = 0;
    const options = { lastEventId: "a-7", onOpen: () => opened++ };
    for await (const _event of events(createClient({ url, token: () => "secret" }), "/events", options)) expect(opened).toBe(1);
    expect(asked).toMatchObject([{ authorization: "Bearer secret", accept: "text/event-stream", "last-event-id": "a-7" }]);
  });
});

describe("an error", () => {
  test("has the code of the node", async () => {
    const problem = {
      type: "x",
      title: "t",
      status: 404,
      detail: "there is no graph x",
      code: "resource.not_found",
      retryable: false,
    };
    const { url } = await answering(404, "application/problem+json", [JSON.stringify(problem)]);
    const api = createClient({ url });
    const expected = {
      name: "ApiError",
      code: "resource.not_found",
      status: 404,
      message: "there is no graph x",
      isRetryable: false,
    };
    await expect(answerOf(api.GET("/api/v1/graphs/{name}", { params: { path: { name: "x" } } }))).rejects.toMatchObject(expected);
    await expect(api.raw("/api/v1/graphs/x")).rejects.toMatchObject(expected);
  });

  test("of a stranger on the way is told as it came, shortened", async () => {
    const { url } = await answering(502, "text/html", ["<h1>Bad Gateway</h1>", "x".repeat(10_000)]);
    await expect(createClient({ url }).raw("/api/v1/node")).rejects.toMatchObject({
      code: "core.internal",
      status: 502,
      message: expect.stringMatching(/^the answer has status 502 and says: <h1>Bad Gateway.{180,200}$/s),
    });
  });

  test("is node.unreachable where nobody answers", async () => {
    const { url } = await answering(200, "text/plain", []);
    server.close();
    await expect(answerOf(createClient({ url }).GET("/api/v1/node"))).rejects.toMatchObject({
      code: "node.unreachable",
      status: 0,
      isRetryable: true,
    });
  });
});
