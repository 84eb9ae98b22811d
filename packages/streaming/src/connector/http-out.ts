import { z } from "zod";
import { streamError } from "../errors.ts";
import { textOf } from "../record/value.ts";
import { defineBuiltIn } from "../stage/built-in.ts";
import type { SourceHost } from "../stage/stage.ts";
import type { Writer } from "./batching.ts";
import { codecOf } from "./codec-setting.ts";
import { encodeLoad } from "./encode-load.ts";
import { refused, unreachable } from "./faults.ts";
import type { Load } from "./load.ts";
import { sinkAction } from "./sink.ts";
import { variableOf } from "./url-setting.ts";

const settings = z.object({
  url: z.url({ protocol: /^https?$/ }).describe("Where records go."),
  method: z.enum(["POST", "PUT"]).default("POST"),
  headers: z.record(z.string(), z.string()).default({}),
  headersFrom: z
    .record(z.string(), z.string())
    .default({})
    .describe("For each header the environment variable of the node that holds its value: for secrets."),
  maxRecords: z.int().min(1).max(10_000).default(1).describe("Records of one request; more than one go as lines."),
  maxWaitMs: z.int().min(0).default(0).describe("How long records wait for others of their request."),
  body: z.enum(["lines", "json"]).default("json").describe("How a record is written; several stand on a line each."),
});

type HttpOutSettings = z.infer<typeof settings>;

/** Requests under way where the node does not say. */
const CONCURRENCY = 8;
const TIMEOUT_MS = 30_000;

/**
 * `http.out`: each record, or several at a time, as the body of a request; `concurrency` of the node says how many requests are under
 * way, and with more than one they may overtake each other. A record is done once the answer is 2xx.
 *
 * Answers 408, 425, 429 and 5xx, and none at all, are tried again by the policy of the node, not before their `Retry-After` is over;
 * any other is a refusal: a request of several is taken apart, and the record that is refused is given up at once. The header
 * `Idempotency-Key` carries the graph and the id of the (first) record, so that a receiver can know what a crash makes come again.
 */
export const httpOut = defineBuiltIn({
  name: "http.out",
  summary: "Sends records over HTTP.",
  settings,
  make: (given, { concurrency = CONCURRENCY }) =>
    sinkAction((host) => new HttpWriter(given, host), {
      maxRecords: given.maxRecords,
      maxWaitMs: given.maxWaitMs,
      concurrency,
      timeoutMs: TIMEOUT_MS,
    }),
});

class HttpWriter implements Writer {
  readonly #settings: HttpOutSettings;
  readonly #host: SourceHost;
  readonly #given: Readonly<Record<string, string>>;

  constructor(settings: HttpOutSettings, host: SourceHost) {
    this.#settings = settings;
    const secrets = Object.entries(settings.headersFrom).map(([name, variable]) => [name, variableOf(variable, "headersFrom")]);
    this.#given = { ...settings.headers, ...Object.fromEntries(secrets) };
    this.#host = host;
  }

  async write(load: Load, signal: AbortSignal): Promise<void> {
    const { url, method } = this.#settings;
    const request = { method, headers: this.#headers(load), body: new Uint8Array(this.#body(load)) };
    const response = await fetch(url, { ...request, redirect: "error", signal }).catch((cause) => {
      throw unreachable(`no answer from ${url}`, cause.cause ?? cause);
    });
    await response.body?.cancel();
    if (response.ok) return;
    if (!mayPass(response.status)) throw refused(`${url} refuses it with ${response.status}`);
    throw streamError("stream.connector", `${url} answers ${response.status}`, {
      details: { status: response.status, retryAfterMs: this.#retryAfterMs(response.headers.get("retry-after")) },
    });
  }

  /** @source RFC 9110, 10.2.3: seconds, or a date. */
  #retryAfterMs(value: string | null): number {
    if (value === null) return 0;
    if (/^\d+$/.test(value)) return Number(value) * 1_000;
    const { clock } = this.#host;
    const dateMs = Date.parse(value);
    return Number.isNaN(dateMs) ? 0 : Math.max(0, dateMs - (clock.wallNow?.() ?? clock.now()));
  }

  #headers(load: Load): Record<string, string> {
    const { body } = this.#settings;
    const [first] = load.records();
    const isOne = this.#settings.maxRecords === 1;
    const json = isOne ? "application/json" : "application/x-ndjson";
    const type = body === "json" ? json : "text/plain; charset=utf-8";
    return { "content-type": type, ...this.#given, "idempotency-key": `${this.#host.graph}/${first?.id}` };
  }

  #body(load: Load): Buffer {
    const { body, maxRecords } = this.#settings;
    if (maxRecords > 1) return Buffer.concat(encodeLoad(load, codecOf(body)));
    const [first] = load.records();
    if (body === "lines") return Buffer.from(textOf(first?.record));
    return codecOf("json").encode([first?.record]).subarray(0, -1); // one value needs no newline
  }
}

function mayPass(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}
