import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { MetanodeError } from "@metanode/core/errors";
import { createServer } from "@metanode/core/internal/http";
import { z } from "zod";
import { streamError } from "../errors.ts";
import type { Content } from "../record/batch.ts";
import { defineBuiltIn } from "../stage/built-in.ts";
import type { SourceHost } from "../stage/stage.ts";
import { codecOf } from "./codec-setting.ts";
import { unreachable } from "./faults.ts";
import { Inbox } from "./inbox.ts";

const settings = z.object({
  port: z
    .int()
    .min(0)
    .max(65_535)
    .default(0)
    .describe("Port on the loopback; with 0 any free one, which the log of the node names."),
  path: z.string().startsWith("/").default("/").describe("The path that takes records."),
  body: z
    .enum(["text", "bytes", "value", "lines", "json"])
    .default("text")
    .describe("What a body is: one record, as text, bytes or a value of JSON; or a record per line, as text or of JSON."),
  answer: z
    .enum(["accepted", "settled"])
    .default("accepted")
    .describe("When it is answered: with 202 once the graph has the records, or with 200 once every sink has them."),
  maxBodyBytes: z.int().min(1).default(1_048_576).describe("Longer bodies are refused with 413."),
  maxWaiting: z.int().min(1).default(1_000).describe("Records that may wait for the graph; then requests are refused with 429."),
  retryAfterSeconds: z.int().min(1).default(1).describe("What a refused sender is told to wait."),
});

type HttpInSettings = z.infer<typeof settings>;

/**
 * `http.in`: the bodies that are posted to a server of the node's own, on the loopback.
 *
 * With `answer: "settled"` nothing is lost: who gets no 200 sends again; a crash repeats what was under way. With `accepted`
 * what was in flight at a crash is lost, unless the graph keeps a journal. A request with an `Idempotency-Key` gives its records ids
 * by it, so that sinks which know ids know them again; others are counted in each run anew. A graph that does not keep up answers 429, one
 * that stops 503, both with `Retry-After`.
 */
export const httpIn = defineBuiltIn({
  name: "http.in",
  summary: "Takes records that are posted to it over HTTP.",
  settings,
  make: (given) => ({
    ...(given.answer === "settled" ? { renumbers: true } : { replays: false }),
    source: async (host) => {
      const door = new HttpDoor(given, host);
      await door.open();
      return door.inbox;
    },
  }),
});

class HttpDoor {
  readonly inbox: Inbox;
  readonly #settings: HttpInSettings;
  readonly #host: SourceHost;
  readonly #server: Server;

  constructor(settings: HttpInSettings, host: SourceHost) {
    this.#settings = settings;
    this.#host = host;
    this.#server = createServer((request, response) => void this.#take(request, response));
    this.inbox = new Inbox({ host, maxRecords: settings.maxWaiting, onClose: () => this.#close() });
  }

  async open(): Promise<void> {
    const { port, path } = this.#settings;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (cause) => reject(unreachable(`port ${port} cannot be opened`, cause)));
      this.#server.listen(port, "127.0.0.1", resolve);
    });
    this.#host.log("info", `takes records at http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`);
  }

  async #close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    // Answers that are on their way get out first.
    setImmediate(() => this.#server.closeAllConnections());
    await closed;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { answer } = this.#settings;
      const refusal = this.#refusal(request);
      if (refusal !== undefined) {
        request.resume();
        this.#answer(response, refusal.status, refusal.message);
        return;
      }
      const { "idempotency-key": key } = request.headers;
      const id = typeof key === "string" && key !== "" ? key : undefined;
      await this.inbox.offer(this.#recordsIn(await this.#body(request)), { until: answer, id });
      this.#answer(response, answer === "settled" ? 200 : 202);
    } catch (error) {
      const code = error instanceof MetanodeError ? error.code : "";
      const status = code === "stream.stopped" ? 503 : code === "stream.record_too_large" ? 413 : 400;
      request.resume();
      this.#answer(response, status, error instanceof Error ? error.message : String(error));
    }
  }

  #refusal({ url = "/", method }: IncomingMessage): { status: number; message: string } | undefined {
    const { path } = this.#settings;
    if (url.split("?", 1)[0] !== path) return { status: 404, message: `records go to ${path}` };
    if (method !== "POST") return { status: 405, message: "records are sent with POST" };
    if (this.inbox.isClosed) return { status: 503, message: "the graph stops" };
    if (!this.inbox.hasRoom()) return { status: 429, message: "the graph does not keep up" };
    return undefined;
  }

  #answer(response: ServerResponse, status: number, detail?: string): void {
    if (response.headersSent || response.destroyed) return;
    const isRefused = status === 429 || status === 503;
    if (isRefused) response.setHeader("retry-after", String(this.#settings.retryAfterSeconds));
    if (status === 413) response.setHeader("connection", "close"); // what is left of the body is not waited for
    if (detail === undefined) {
      response.writeHead(status).end();
      return;
    }
    response.writeHead(status, { "content-type": "application/problem+json" });
    response.end(JSON.stringify({ status, title: detail }));
  }

  async #body(request: IncomingMessage): Promise<Buffer> {
    const { maxBodyBytes } = this.#settings;
    const chunks: Buffer[] = [];
    let bytes = 0;
    // Not destroyed when it is too long: the answer has to get out.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length;
      if (bytes > maxBodyBytes) {
        const found = `the body has ${bytes} bytes or more, at most ${maxBodyBytes} are allowed`;
        throw streamError("stream.record_too_large", found, { details: { maxBodyBytes } });
      }
      chunks.push(chunk as Buffer);
    }
    return Buffer.concat(chunks);
  }

  #recordsIn(body: Buffer): Content {
    const kind = this.#settings.body;
    if (kind === "bytes") return { records: [body] };
    if (kind === "text") return { records: [body.toString("utf8")] };
    if (kind === "value") return { records: [parse(body)] };
    const decoder = codecOf(kind).decoder();
    const blocks = [decoder.push(body), decoder.end()].filter((block) => block !== undefined);
    // Cut apart now: whoever sent them is to hear that they are malformed.
    return { records: blocks.flatMap((block) => block.values()) };
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (cause) {
    throw streamError("stream.codec", "the body is not JSON", { cause });
  }
}
