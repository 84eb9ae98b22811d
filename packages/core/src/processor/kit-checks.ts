import { coreError, hasCode, type MetanodeError } from "../errors.ts";
import { encodeBatch } from "../link/codec.ts";
import { CALL_MODE, type TypeDeclaration } from "../link/frames.ts";
import { dialLink } from "../link/grpc.ts";
import { greet } from "../link/handshake.ts";
import { compileSchema, type PayloadCheck } from "../router/schema.ts";
import { typeKey } from "./author.ts";
import { json, type KitCall, type KitLife, type KitRequest, type KitTarget, type LifeOptions, valueIn } from "./kit-life.ts";
import { listeningSockets, processGroup } from "./kit-sockets.ts";

/** One payload to try, and what must come of it. */
export interface KitSample {
  /** `type` or `type@version`. */
  type: string;
  data?: unknown;
  /** The answer, compared as JSON. Absent: any one answer will do. */
  expect?: unknown;
}

/** What the checks of one run share. */
export interface KitRun {
  readonly target: KitTarget;
  readonly full: boolean;
  readonly samples: readonly KitSample[];
  /** The life that most checks share; a new one if the last has ended. */
  life(): Promise<KitLife>;
  /** Another life, for checks that end it. */
  begin(options?: LifeOptions): Promise<KitLife>;
}

/** A check that has nothing to look at. */
export interface Skipped {
  readonly skipped: string;
}

export interface KitCheck {
  /** Stable, for programs. */
  readonly name: string;
  /** The promise, as a sentence. */
  readonly title: string;
  /** Says something only of a process of its own. */
  readonly processOnly?: boolean;
  /** What was seen. Throws what was wrong. */
  run(kit: KitRun): Promise<string | Skipped>;
}

/** For any answer that takes no work. Generous: a slow machine is no breach of the protocol. */
export const ANSWER_LIMIT_MS = 5_000;
/** From a cancel or a deadline to the end of the call: what a node waits before it takes the process to hang. */
export const LET_GO_LIMIT_MS = 2_000;

/** The error of a check: what was found, what was expected. */
export function breach(message: string, details?: Record<string, unknown>): MetanodeError {
  return coreError("processor.protocol", message, details ? { details } : {});
}

/** The declaration of a type, if the processor has it. */
export function declared(life: KitLife, type: string): TypeDeclaration | undefined {
  return life.hello?.types.find((one) => one.type === type);
}

/** Fails unless the call ended exactly once and as a failure; gives its code. */
export async function failureOf(life: KitLife, call: KitCall, what: string): Promise<string> {
  const { failure } = await life.ended(call, ANSWER_LIMIT_MS, what);
  if (!failure) throw breach(`${what} was answered with a value, expected a failure`);
  await assertOnce(life, [call]);
  return failure.code;
}

/** Whatever the processor sent before a pong has arrived with it: by then a second end would be here. */
export async function assertOnce(life: KitLife, calls: readonly KitCall[]): Promise<void> {
  await life.ping(ANSWER_LIMIT_MS);
  const wrong = calls.filter(({ ends }) => ends.length !== 1);
  if (wrong.length > 0) {
    throw breach(`${wrong.length} of ${calls.length} calls ended ${wrong[0]?.ends.length} times, expected exactly once each`);
  }
}

const greets: KitCheck = {
  name: "greets",
  title: "greets within its start limit with a version range, a valid type and a concurrency",
  async run(kit) {
    const { hello } = await kit.life();
    if (!hello) throw breach("no hello came");
    const { versionMin, versionMax, types, concurrency, name } = hello;
    if (!(versionMin >= 1 && versionMax >= versionMin)) throw breach(`the version range is ${versionMin} to ${versionMax}`);
    if (versionMin > 1) throw breach(`it speaks version ${versionMin} and later, expected 1`);
    if (!(concurrency >= 1)) throw breach(`the concurrency is ${concurrency}, expected 1 or more`);
    if (name === "") throw breach("the hello has no name; METANODE_PROCESSOR holds it");
    if (types.length === 0) throw breach("it declares no type, expected at least one");
    const keys = types.map(({ type, version }) => typeKey(type, version || "1"));
    const malformed = types.find(({ type }) => !/^[^\s.*>@]+(\.[^\s.*>@]+)*$/.test(type));
    if (malformed) throw breach(`${JSON.stringify(malformed.type)} is no type; expected words joined by dots`);
    const twice = keys.find((key, index) => keys.indexOf(key) !== index);
    if (twice !== undefined) throw breach(`${twice} is declared twice`);
    return `${types.length} types, concurrency ${concurrency}, ${hello.runtime || "runtime not named"}`;
  },
};

const schemas: KitCheck = {
  name: "schemas",
  title: "declares schemas that are valid JSON Schema",
  async run(kit) {
    const types = (await kit.life()).hello?.types ?? [];
    let count = 0;
    for (const { type, inputSchema, outputSchema } of types) {
      for (const text of [inputSchema, outputSchema]) {
        if (!text) continue;
        compileSchema(type, parse(type, text));
        count++;
      }
    }
    return count === 0 ? { skipped: "no type has a schema" } : `${count} schemas`;
  },
};

function parse(type: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw breach(`a schema of ${type} is no JSON: ${(cause as Error).message}`);
  }
}

const secretOnce: KitCheck = {
  name: "secret",
  title: "shows its secret once; the same secret opens no second link",
  processOnly: true,
  async run(kit) {
    const life = await kit.life();
    if (life.hello?.secret !== life.secret) throw breach("the secret in the hello is not the one of METANODE_SECRET");
    if (life.attachments !== 1) throw breach(`it dialled ${life.attachments} times, expected once`);
    const wait = { clock: kit.target.clock, timeoutMs: ANSWER_LIMIT_MS };
    const replay = greet(dialLink(life.address), { ...life.hello, secret: life.secret }, wait);
    const error: unknown = await replay.then(
      ({ channel }) => channel.close(),
      (reason: unknown) => reason,
    );
    if (!hasCode(error, "auth.unauthenticated")) throw breach("a replayed secret was taken");
    await life.ping(ANSWER_LIMIT_MS);
    return "one link";
  },
};

const listensNowhere: KitCheck = {
  name: "listens-nowhere",
  title: "listens on no socket, nor does anything that it started",
  processOnly: true,
  async run(kit) {
    const { pid } = await kit.life();
    if (process.platform !== "linux") return { skipped: `${process.platform} has no /proc to look into` };
    if (pid === undefined) throw breach("the process has no pid");
    const pids = await processGroup(pid);
    const found = (await Promise.all(pids.map((one) => listeningSockets(one)))).flat();
    if (found.length > 0) throw breach(`it listens on ${found.map(({ kind, address }) => `${kind} ${address}`).join(", ")}`);
    return `${pids.length} processes looked at`;
  },
};

const pings: KitCheck = {
  name: "pings",
  title: "answers pings while idle and while a call is open",
  async run(kit) {
    const life = await kit.life();
    for (let round = 0; round < 5; round++) await life.ping(ANSWER_LIMIT_MS);
    if (!declared(life, "conformance.sleep")) return "while idle; it has no conformance.sleep to keep a call open with";
    const call = life.call({ type: "conformance.sleep", data: json({ ms: 600_000 }) });
    for (let round = 0; round < 5; round++) await life.ping(ANSWER_LIMIT_MS);
    life.send({ call: call.number, cancel: { reason: "cancelled" } });
    await life.ended(call, LET_GO_LIMIT_MS, "the withdrawn call");
    return "while idle and with a call open";
  },
};

const unknownType: KitCheck = {
  name: "unknown-type",
  title: "answers a type or version that it did not declare with message.unknown_type, and stays up",
  async run(kit) {
    const life = await kit.life();
    const [known] = life.hello?.types ?? [];
    const requests: KitRequest[] = [{ type: "conformance.no_such_type", data: json({}) }];
    if (known)
      requests.push({ type: known.type, version: "no-such-version", mode: known.streaming ? CALL_MODE.stream : CALL_MODE.unary });
    for (const request of requests) {
      const what = `a call to ${request.type} ${request.version ?? ""}`.trim();
      const code = await failureOf(life, life.call(request), what);
      if (code !== "message.unknown_type") throw breach(`${what} failed with ${code}, expected message.unknown_type`);
    }
    return `${requests.length} calls refused`;
  },
};

/** Bytes that break off, are no UTF-8, or are no JSON. */
const MALFORMED = [Buffer.from('{"a":'), Buffer.from([0x22, 0xff, 0xfe, 0x22]), Buffer.from("no json")];

const malformed: KitCheck = {
  name: "malformed-payload",
  title: "answers malformed JSON with a failure, and stays up",
  async run(kit) {
    const life = await kit.life();
    const types = life.hello?.types ?? [];
    for (const type of types) {
      for (const data of MALFORMED) {
        const code = await failureOf(life, life.call(requestOf(type, data)), `malformed JSON for ${type.type}`);
        if (code === "") throw breach(`the failure of ${type.type} has no code`);
      }
    }
    return `${types.length * MALFORMED.length} calls failed as they should`;
  },
};

function requestOf({ type, version, streaming }: TypeDeclaration, data?: Uint8Array): KitRequest {
  const manner = streaming ? { mode: CALL_MODE.stream, window: 1_000 } : {};
  return { type, ...(version ? { version } : {}), ...(data ? { data } : {}), ...manner, timeoutMs: ANSWER_LIMIT_MS };
}

const UNFIT: readonly unknown[] = [null, 42, "text", true, [], {}];

const offSchema: KitCheck = {
  name: "off-schema",
  title: "ends a call whose payload does not fit the schema exactly once, and stays up",
  async run(kit) {
    const life = await kit.life();
    let failed = 0;
    let ended = 0;
    for (const type of life.hello?.types ?? []) {
      if (!type.inputSchema) continue;
      const check = compileSchema(type.type, parse(type.type, type.inputSchema));
      const unfit = UNFIT.find((value) => !fits(check, value));
      if (unfit === undefined) continue;
      const call = life.call(requestOf(type, json(unfit)));
      const end = await life.ended(call, ANSWER_LIMIT_MS, `a call to ${type.type} with a payload off its schema`);
      await assertOnce(life, [call]);
      ended++;
      if (end.failure) failed++;
    }
    if (ended === 0) return { skipped: "no type has a schema that refuses anything" };
    return `${failed} of ${ended} refused by the processor itself; its node refuses all of them before they are dispatched`;
  },
};

function fits(check: PayloadCheck, value: unknown): boolean {
  try {
    check(value);
    return true;
  } catch {
    return false; // that is what was asked
  }
}

const samples: KitCheck = {
  name: "samples",
  title: "answers each sample, given or in a schema's examples, exactly once and as expected",
  async run(kit) {
    const life = await kit.life();
    const all = [...kit.samples, ...(life.hello?.types ?? []).flatMap(examplesOf)];
    for (const sample of all) await checkSample(life, sample);
    return all.length === 0 ? { skipped: "there are no samples, and no schema has examples" } : `${all.length} samples`;
  },
};

function examplesOf({ type, version, inputSchema }: TypeDeclaration): KitSample[] {
  if (!inputSchema) return [];
  const { examples } = parse(type, inputSchema) as { examples?: unknown };
  return Array.isArray(examples) ? examples.map((data: unknown) => ({ type: typeKey(type, version || "1"), data })) : [];
}

async function checkSample(life: KitLife, sample: KitSample): Promise<void> {
  const key = sample.type.includes("@") ? sample.type : typeKey(sample.type, "1");
  const type = life.hello?.types.find((one) => typeKey(one.type, one.version || "1") === key);
  if (type === undefined) throw breach(`there is a sample for ${key}, which the processor does not declare`);
  const call = life.call(requestOf(type, sample.data === undefined ? undefined : json(sample.data)));
  const { reply, failure } = await life.ended(call, ANSWER_LIMIT_MS, `the sample of ${key}`);
  if (failure) throw breach(`the sample of ${key} failed with ${failure.code}: ${failure.message}`);
  await assertOnce(life, [call]);
  if (!("expect" in sample)) return;
  const found = type.streaming ? call.items.map((item) => valueIn(item)) : valueIn(reply);
  if (JSON.stringify(found) !== JSON.stringify(sample.expect)) {
    throw breach(`the sample of ${key} gave ${JSON.stringify(found)}, expected ${JSON.stringify(sample.expect)}`);
  }
}

const concurrent: KitCheck = {
  name: "concurrency",
  title: "takes as many calls at a time as it said, and ends each exactly once",
  async run(kit) {
    const life = await kit.life();
    const concurrency = life.hello?.concurrency ?? 1;
    const sleeps = declared(life, "conformance.sleep") !== undefined;
    const request: KitRequest = sleeps
      ? { type: "conformance.sleep", data: json({ ms: 20 }) }
      : { type: "conformance.no_such_type", data: json({}) };
    // In one batch, so that all of them are there at the same time.
    const prepared = Array.from({ length: Math.min(concurrency, 1_000) }, () => life.prepare(request));
    life.send(...prepared.map(({ frame }) => frame));
    const calls = prepared.map(({ call }) => call);
    await life.until("every call ends", () => calls.every(({ ends }) => ends.length > 0), ANSWER_LIMIT_MS + calls.length * 20);
    await assertOnce(life, calls);
    const failure = calls.find(({ ends }) => sleeps && ends[0]?.failure)?.ends[0]?.failure;
    if (failure) throw breach(`one of ${calls.length} calls failed with ${failure.code}: ${failure.message}`);
    return `${calls.length} calls at a time`;
  },
};

/** Field 999 of a batch, three bytes long, and a frame that holds only its number and field 500: both of a later version. */
const LATER_FIELD = Buffer.from([0xba, 0x3e, 3, 1, 2, 3]);
const LATER_FRAME = Buffer.from([0x0a, 0x06, 0x08, 0x07, 0xa2, 0x1f, 1, 9]);

const unknownFrames: KitCheck = {
  name: "unknown-frames",
  title: "passes over frames and fields that it does not know, and cancels and credits of calls that are over",
  async run(kit) {
    const life = await kit.life();
    life.send({ call: 900_001 }, { call: 900_002, cancel: { reason: "cancelled" } }, { call: 900_003, credit: { items: 5 } });
    const raw = life.sendBytes(Buffer.concat([encodeBatch([]), LATER_FIELD, LATER_FRAME]));
    await life.ping(ANSWER_LIMIT_MS);
    const code = await failureOf(life, life.call({ type: "conformance.no_such_type" }), "a call after all that");
    return `${raw ? "frames and fields" : "frames"} passed over; the next call was answered (${code})`;
  },
};

const cancels: KitCheck = {
  name: "cancel",
  title: "ends a withdrawn call at once",
  async run(kit) {
    const life = await kit.life();
    if (!declared(life, "conformance.sleep")) return { skipped: "it has no conformance.sleep to withdraw a call from" };
    const call = life.call({ type: "conformance.sleep", data: json({ ms: 600_000 }) });
    await life.ping(ANSWER_LIMIT_MS);
    if (call.ends.length > 0) throw breach("a sleep of ten minutes ended at once");
    life.send({ call: call.number, cancel: { reason: "cancelled" } });
    await life.ended(call, LET_GO_LIMIT_MS, "the withdrawn call");
    await assertOnce(life, [call]);
    return call.ends[0]?.failure ? `with ${call.ends[0].failure.code}` : "with a reply";
  },
};

const deadlines: KitCheck = {
  name: "deadline",
  title: "ends a call by itself when its time is over",
  async run(kit) {
    const life = await kit.life();
    if (!declared(life, "conformance.sleep")) return { skipped: "it has no conformance.sleep to run out of time" };
    const timeoutMs = 100;
    const call = life.call({ type: "conformance.sleep", data: json({ ms: 600_000 }), timeoutMs });
    const { failure } = await life.ended(call, timeoutMs + LET_GO_LIMIT_MS, "the call that ran out of time");
    if (failure?.code !== "call.deadline") throw breach(`it ended with ${failure?.code ?? "a reply"}, expected call.deadline`);
    await assertOnce(life, [call]);
    return "with call.deadline";
  },
};

/** What every processor must do, in the order of asking. */
export const generalChecks: readonly KitCheck[] = [
  greets,
  schemas,
  secretOnce,
  listensNowhere,
  pings,
  unknownType,
  malformed,
  offSchema,
  samples,
  concurrent,
  unknownFrames,
  cancels,
  deadlines,
];
