import type { JetStreamClient, JsMsg } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { z } from "zod";
import type { ReadOptions, Source, SourceBatch } from "../delivery/source.ts";
import { bytesOf } from "../record/value.ts";
import { defineBuiltIn } from "../stage/built-in.ts";
import type { SourceHost } from "../stage/stage.ts";
import type { Writer } from "./batching.ts";
import { refused, unreachable } from "./faults.ts";
import { Inbox } from "./inbox.ts";
import type { Load } from "./load.ts";
import { sinkAction } from "./sink.ts";
import { urlOf, urlSettings } from "./url-setting.ts";

const readSettings = z.object({
  ...urlSettings,
  subject: z.string().min(1).describe("The subject, which may have wildcards."),
  stream: z.string().min(1).optional().describe("The stream of JetStream that keeps it; without, messages are had as they come."),
  give: z.enum(["text", "bytes", "json"]).default("text").describe("What a record is of a payload."),
  maxWaiting: z.int().min(1).default(10_000).describe("Records that may wait for the graph; without a stream, more are dropped."),
});

const writeSettings = z.object({
  ...urlSettings,
  subject: z.string().min(1).describe("The subject."),
  jetstream: z.boolean().default(true).describe("Waits until a stream has stored it; without, until the server has taken it."),
  maxRecords: z.int().min(1).max(10_000).default(1_000).describe("Records that are on their way at a time."),
});

type NatsReadSettings = z.infer<typeof readSettings>;

/**
 * `nats.read`: the messages of a subject.
 *
 * With `stream`: position is the sequence number in the stream; replays the same messages in the same order, as long as the stream
 * keeps them (`max_age` and the like): nothing is acked, so the stream should have Limits retention. Without: no replays, messages that
 * come while nothing runs are missed, and those for which the graph has no room are dropped and counted, as NATS promises no more.
 *
 * Needs the packages `@nats-io/transport-node` and `@nats-io/jetstream`, which are optional.
 */
export const natsRead = defineBuiltIn({
  name: "nats.read",
  summary: "Reads the messages of a NATS subject, from a stream of JetStream or as they come.",
  settings: readSettings,
  make: (given) => {
    const { stream } = given;
    if (stream === undefined) return { replays: false, source: (host) => subscribe(given, host) };
    return { source: async () => new JetStreamSource(await connected(given), { ...given, stream }) };
  },
});

/**
 * `nats.write`: records as messages of a subject. A record is done once a stream has stored it. Idempotent within the
 * `duplicate_window` of the stream: the id of the message is that of the record, with the name of the graph. With
 * `jetstream: false` a record is done once the server has taken it, and is lost where nobody listens.
 *
 * Needs the packages `@nats-io/transport-node` and `@nats-io/jetstream`, which are optional.
 */
export const natsWrite = defineBuiltIn({
  name: "nats.write",
  summary: "Publishes records to a NATS subject.",
  settings: writeSettings,
  make: (given) => sinkAction((host) => openWriter(given, host), { maxRecords: given.maxRecords, timeoutMs: 30_000 }),
});

async function connected(given: { url?: string | undefined; urlFrom?: string | undefined }): Promise<NatsConnection> {
  const servers = urlOf(given);
  const { connect } = await import("@nats-io/transport-node").catch((cause) => {
    throw unreachable("NATS needs the packages @nats-io/transport-node and @nats-io/jetstream; install them", cause);
  });
  return connect({ servers, maxReconnectAttempts: -1 }).catch((cause) => {
    throw unreachable("no connection to NATS", cause); // without the address: it may hold a password
  });
}

function recordIn(payload: Uint8Array, give: NatsReadSettings["give"]): unknown {
  if (give === "bytes") return payload;
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("utf8");
  if (give === "text") return text;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refused("a message of NATS is not JSON; read it with `give: text`", cause);
  }
}

async function subscribe(given: NatsReadSettings, host: SourceHost): Promise<Source> {
  const connection = await connected(given);
  const inbox = new Inbox({
    host,
    maxRecords: given.maxWaiting,
    onStop: () => subscription.unsubscribe(),
    onClose: () => connection.close(),
  });
  const subscription = connection.subscribe(given.subject, {
    callback: (error, message) => {
      if (error !== null) return host.log("warn", `the subscription has a fault: ${error.message}`);
      if (!inbox.hasRoom()) return host.count("dropped");
      try {
        void inbox.offer({ records: [recordIn(message.data, given.give)] }).catch(() => undefined);
      } catch (fault) {
        host.count("dropped");
        host.log("warn", `a message is dropped: ${fault instanceof Error ? fault.message : fault}`);
      }
    },
  });
  await connection.flush(); // from here on nothing is missed
  return inbox;
}

class JetStreamSource implements Source {
  readonly #connection: NatsConnection;
  readonly #settings: NatsReadSettings & { readonly stream: string };

  constructor(connection: NatsConnection, settings: NatsReadSettings & { readonly stream: string }) {
    this.#connection = connection;
    this.#settings = settings;
  }

  async *read({ position, signal }: ReadOptions): AsyncGenerator<SourceBatch> {
    const { stream, subject, give, maxWaiting } = this.#settings;
    const { DeliverPolicy, jetstream } = await import("@nats-io/jetstream");
    const consumer = await jetstream(this.#connection).consumers.get(stream, {
      filter_subjects: subject, // no list: servers before 2.10 have none
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: Number(position ?? 0) + 1,
    });
    const messages = await consumer.consume({ max_messages: Math.min(maxWaiting, 1_000) });
    const onAbort = (): void => messages.stop();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      for await (const batch of inTurns(messages, signal)) {
        yield { records: batch.map(({ data }) => recordIn(data, give)), position: String(batch.at(-1)?.seq) };
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      messages.stop();
      await consumer.delete().catch(() => undefined); // it would go by itself, but only after minutes
    }
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}

/** What comes within one turn of the event loop, together. */
async function* inTurns(messages: AsyncIterable<JsMsg>, signal: AbortSignal): AsyncGenerator<JsMsg[]> {
  const iterator = messages[Symbol.asyncIterator]();
  let pending = iterator.next();
  while (!signal.aborted) {
    const first = await pending;
    if (first.done === true) return;
    const batch = [first.value];
    pending = iterator.next();
    const turn = new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)));
    while (batch.length < 512) {
      const next = await Promise.race([pending, turn]);
      if (next === undefined || next.done === true) break;
      batch.push(next.value);
      pending = iterator.next();
    }
    yield batch;
  }
}

async function openWriter(
  { subject, jetstream: isStored, ...given }: z.infer<typeof writeSettings>,
  { graph }: SourceHost,
): Promise<Writer> {
  const connection = await connected(given);
  let client: JetStreamClient | undefined;
  if (isStored) client = (await import("@nats-io/jetstream")).jetstream(connection);
  return {
    write: async (load: Load) => {
      const messages = [...load.records()].map(({ record, id }) => ({ payload: bytesOf(record), id: `${graph}/${id}` }));
      try {
        if (client === undefined) {
          for (const { payload } of messages) connection.publish(subject, payload);
          await connection.flush();
        } else {
          const stored = messages.map(({ payload, id }) => (client as JetStreamClient).publish(subject, payload, { msgID: id }));
          for (const result of await Promise.allSettled(stored)) if (result.status === "rejected") throw result.reason;
        }
      } catch (error) {
        throw unreachable(`${subject} takes nothing`, error);
      }
    },
    close: () => connection.close(),
  };
}
