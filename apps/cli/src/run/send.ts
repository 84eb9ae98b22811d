import { createReadStream } from "node:fs";
import { coreError, errorRow } from "@metanode/core/errors";
import { type ApiClient, errorOfProblem, readLines } from "../api/client.ts";
import { BATCH_TYPE, EVENT_TYPE, eventOf, type JsonEvent, nameOfInput } from "../api/event.ts";
import { paths } from "../api/paths.ts";
import { readInput } from "../data.ts";
import { Exit, PARTIAL } from "../exit.ts";
import type { Invocation } from "../invocation.ts";

/** What the API says of one message that it accepted. */
interface Accepted {
  readonly id: string;
  readonly sequence?: number;
  readonly duplicate?: boolean;
}

/** `metanode send` */
export async function run(invocation: Invocation): Promise<void> {
  if (invocation.has("ndjson")) return sendLines(invocation);
  const argument = invocation.optionalArg(1);
  const bytes = argument === undefined ? undefined : await readInput(argument);
  const event = eventOf(invocation, bytes, nameOfInput(argument ?? ""));
  const client = await invocation.client();
  const accepted = await client.json<Accepted>({
    method: "POST",
    path: paths.messages,
    query: { mode: modeOf(invocation) },
    headers: { "content-type": EVENT_TYPE },
    body: JSON.stringify(event),
  });
  await invocation.output.show(accepted, () => describe(accepted));
}

function modeOf(invocation: Invocation): "cast" | "send" {
  return invocation.has("cast") ? "cast" : "send";
}

function describe({ id, sequence, duplicate }: Accepted): string {
  if (duplicate) return `${id} duplicate of ${sequence}`;
  return sequence === undefined ? `${id} sent` : `${id} accepted ${sequence}`;
}

/** Messages and bytes of one request; well below what a node takes at once. */
const BATCH_MESSAGES = 256;
const BATCH_BYTES = 512 * 1_024;

/** One message and where it stood. */
interface Line {
  readonly number: number;
  readonly event: JsonEvent;
  readonly bytes: number;
}

interface Tally {
  sent: number;
  duplicates: number;
  failed: number;
  /** Exit status of the first failure: that of the whole, if nothing went well. */
  status: number;
}

/** One message per line, in order, many to a request. A line that fails does not stop the others. */
async function sendLines(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  if (invocation.text("id") !== undefined || invocation.text("key") !== undefined) {
    throw coreError("usage.invalid", "--id and --key name one message, and --ndjson sends many; leave them out");
  }
  const client = await invocation.client();
  const tally: Tally = { sent: 0, duplicates: 0, failed: 0, status: 0 };
  for await (const batch of batches(invocation, tally)) {
    await sendBatch({ invocation, client, tally }, batch);
    output.progress(`${tally.sent} sent, ${tally.failed} failed`);
  }
  output.endProgress();
  const { sent, duplicates, failed } = tally;
  await output.show({ sent, duplicates, failed }, () => `${sent} sent, ${duplicates} of them duplicates, ${failed} failed`);
  if (failed > 0) throw new Exit(sent > 0 ? PARTIAL : tally.status);
}

async function* batches(invocation: Invocation, tally: Tally): AsyncGenerator<Line[]> {
  let batch: Line[] = [];
  let bytes = 0;
  let number = 0;
  for await (const text of readLines(inputOf(invocation))) {
    number++;
    if (text.trim() === "") continue;
    let line: Line;
    try {
      const encoded = Buffer.from(text, "utf8");
      line = { number, event: eventOf(invocation, encoded, "it"), bytes: encoded.length };
    } catch (error) {
      fail(invocation, tally, { line: number, error });
      continue;
    }
    if (batch.length > 0 && (batch.length >= BATCH_MESSAGES || bytes + line.bytes > BATCH_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(line);
    bytes += line.bytes;
  }
  if (batch.length > 0) yield batch;
}

function inputOf(invocation: Invocation): AsyncIterable<Uint8Array> {
  const argument = invocation.optionalArg(1) ?? "-";
  if (argument === "-") return process.stdin;
  if (argument.startsWith("@")) return createReadStream(argument.slice(1));
  throw coreError("usage.invalid", "--ndjson reads lines from standard input or from @file, not from an argument");
}

interface Sending {
  readonly invocation: Invocation;
  readonly client: ApiClient;
  readonly tally: Tally;
}

async function sendBatch({ invocation, client, tally }: Sending, batch: readonly Line[]): Promise<void> {
  const results = await client.json<unknown[]>({
    method: "POST",
    path: paths.messages,
    query: { mode: modeOf(invocation) },
    headers: { "content-type": BATCH_TYPE },
    body: JSON.stringify(batch.map(({ event }) => event)),
  });
  batch.forEach(({ number }, index) => {
    const result = results[index] as { status?: string; problem?: unknown; value?: Accepted } & Accepted;
    if (result?.status === "error") {
      fail(invocation, tally, { line: number, error: errorOfProblem(result.problem) });
      return;
    }
    tally.sent++;
    if ((result?.value ?? result)?.duplicate) tally.duplicates++;
  });
}

function fail({ output }: Invocation, tally: Tally, { line, error }: { line: number; error: unknown }): void {
  const { code = "core.internal", message = "no reason given" } = (error ?? {}) as { code?: string; message?: string };
  tally.failed++;
  tally.status ||= errorRow(code).exit;
  output.endProgress();
  output.talk(`error ${code}: line ${line}: ${message}`);
}
