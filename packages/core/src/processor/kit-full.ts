import { CALL_MODE, type Frame, type ReplyBody, type RequestBody } from "../link/frames.ts";
import { OCTETS_TYPE } from "../message/payload.ts";
import {
  ANSWER_LIMIT_MS,
  assertOnce,
  breach,
  declared,
  type KitCheck,
  type KitRun,
  LET_GO_LIMIT_MS,
  type Skipped,
} from "./kit-checks.ts";
import { json, type KitLife, valueIn } from "./kit-life.ts";

/** What a processor declares to be put through the kit in full. */
export const FULL_TYPES = [
  "conformance.echo",
  "conformance.fail",
  "conformance.sleep",
  "conformance.count",
  "conformance.call",
] as const;

const declares: KitCheck = {
  name: "full-types",
  title: "declares every type of the full kit",
  async run(kit) {
    if (!kit.full) return { skipped: "only the full kit asks for them" };
    const life = await kit.life();
    const missing = FULL_TYPES.filter((type) => !declared(life, type));
    if (missing.length > 0) throw breach(`it does not declare ${missing.join(", ")}`);
    return FULL_TYPES.join(", ");
  },
};

/** A check of one of the types; skipped where the processor does not have it. */
function checkOf(
  type: (typeof FULL_TYPES)[number],
  check: Omit<KitCheck, "run"> & { run(life: KitLife): Promise<string> },
): KitCheck {
  return {
    ...check,
    async run(kit: KitRun): Promise<string | Skipped> {
      const life = await kit.life();
      return declared(life, type) ? check.run(life) : { skipped: `it has no ${type}` };
    },
  };
}

const VALUES: readonly [string, unknown][] = [
  ["null", null],
  ["numbers", [0, -1, 1.5, 1e21, 9_007_199_254_740_991]],
  ["an empty text", ""],
  ["text of many scripts", "Grüße, 世界, مرحبا, \u{1f30d}\u200d, \u0000 and \u2028"],
  ["nested values", { list: [{ deep: [[[]]] }, true, false, null], "": "empty key" }],
  ["a text of one million letters", "ü".repeat(500_000) + "x".repeat(500_000)],
];

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, index) => index);
const ONE_MB_OF_BYTES = Uint8Array.from({ length: 1_000_000 }, (_, index) => (index * 31) % 256);

const echoes = checkOf("conformance.echo", {
  name: "echo",
  title: "carries every JSON value and every byte unchanged",
  async run(life) {
    for (const [what, value] of VALUES) {
      const call = life.call({ type: "conformance.echo", data: json(value) });
      const { reply, failure } = await life.ended(call, ANSWER_LIMIT_MS, `the echo of ${what}`);
      if (failure) throw breach(`the echo of ${what} failed with ${failure.code}: ${failure.message}`);
      if (JSON.stringify(valueIn(reply)) !== JSON.stringify(value) && !(value === null && valueIn(reply) === undefined)) {
        throw breach(`${what} came back changed: ${JSON.stringify(valueIn(reply))?.slice(0, 80)}`);
      }
    }
    for (const bytes of [ALL_BYTES, new Uint8Array(0), ONE_MB_OF_BYTES]) {
      const call = life.call({ type: "conformance.echo", data: bytes, datacontenttype: OCTETS_TYPE });
      const { reply } = await life.ended(call, ANSWER_LIMIT_MS, `the echo of ${bytes.length} bytes`);
      assertSameBytes(reply, bytes);
    }
    const nothing = life.call({ type: "conformance.echo" });
    const { reply, failure } = await life.ended(nothing, ANSWER_LIMIT_MS, "the echo of no data");
    if (failure) throw breach(`the echo of no data failed with ${failure.code}: ${failure.message}`);
    if ((valueIn(reply) ?? null) !== null) throw breach(`no data came back as ${JSON.stringify(valueIn(reply))}`);
    return `${VALUES.length + 4} payloads`;
  },
});

function assertSameBytes(reply: ReplyBody | undefined, bytes: Uint8Array): void {
  const found = reply?.data ?? new Uint8Array(0);
  if (Buffer.compare(Buffer.from(found), Buffer.from(bytes)) !== 0) {
    throw breach(`${bytes.length} bytes came back as ${found.length} others`);
  }
  if (bytes.length > 0 && reply?.datacontenttype !== OCTETS_TYPE) {
    throw breach(`bytes came back as ${reply?.datacontenttype || "JSON"}, expected ${OCTETS_TYPE}`);
  }
}

const fails = checkOf("conformance.fail", {
  name: "fail",
  title: "a handler's error becomes a failure with its message and its code",
  async run(life) {
    for (const code of [undefined, "shop.sold_out"]) {
      const message = "no tea left: 茶";
      const call = life.call({ type: "conformance.fail", data: json({ message, ...(code ? { code } : {}) }) });
      const { failure } = await life.ended(call, ANSWER_LIMIT_MS, "conformance.fail");
      if (!failure) throw breach("conformance.fail was answered with a value");
      if (failure.message !== message)
        throw breach(`the message is ${JSON.stringify(failure.message)}, expected ${JSON.stringify(message)}`);
      const expected = code ?? "processor.failed";
      if (failure.code !== expected) throw breach(`the code is ${JSON.stringify(failure.code)}, expected ${expected}`);
      await assertOnce(life, [call]);
    }
    return "with and without a code";
  },
});

const counts = checkOf("conformance.count", {
  name: "stream",
  title: "streams its items in order and ends the call with a reply without data",
  async run(life) {
    for (const n of [0, 1, 300]) {
      const call = life.call({ type: "conformance.count", data: json({ n }), mode: CALL_MODE.stream, window: 1_000 });
      const { reply, failure } = await life.ended(call, ANSWER_LIMIT_MS, `a stream of ${n} items`);
      if (failure) throw breach(`a stream of ${n} items failed with ${failure.code}: ${failure.message}`);
      await assertOnce(life, [call]);
      const items = call.items.map((item) => valueIn(item));
      if (items.length !== n || items.some((item, index) => item !== index + 1)) {
        throw breach(`the stream gave ${items.length} items, ${JSON.stringify(items.slice(0, 5))} …, expected 1 to ${n}`);
      }
      if (reply?.data && reply.data.length > 0) throw breach("the reply at the end of a stream has data");
    }
    return "0, 1 and 300 items";
  },
});

/** Grants of credit after the window, and rounds of ping and pong in which an item too many would have come. */
const WINDOW = 3;
const GRANTS = [1, 2, 4] as const;
const ROUNDS = 5;

const windows = checkOf("conformance.count", {
  name: "window",
  title: "sends no item of a stream beyond its credit, and none after a cancel",
  async run(life) {
    const call = life.call({ type: "conformance.count", data: json({ n: 1_000 }), mode: CALL_MODE.stream, window: WINDOW });
    let credit = WINDOW;
    for (const grant of [0, ...GRANTS]) {
      credit += grant;
      if (grant > 0) life.send({ call: call.number, credit: { items: grant } });
      const due = credit;
      await life.until(`item ${due} comes`, () => call.items.length >= due, ANSWER_LIMIT_MS);
      for (let round = 0; round < ROUNDS; round++) await life.ping(ANSWER_LIMIT_MS);
      if (call.items.length !== due) throw breach(`${call.items.length} items came with credit for ${due}`);
    }
    life.send({ call: call.number, cancel: { reason: "cancelled" } });
    await life.ended(call, LET_GO_LIMIT_MS, "the withdrawn stream");
    await assertOnce(life, [call]);
    if (call.items.length !== credit) throw breach(`${call.items.length} items came with credit for ${credit}`);
    return `windows of ${WINDOW} and grants of ${GRANTS.join(", ")} kept`;
  },
});

const callsBack = checkOf("conformance.call", {
  name: "call-back",
  title: "calls through the node, within the time of its own call, and hands on answer and failure",
  async run(life) {
    const seen: RequestBody[] = [];
    life.onRequest = (request): Frame => {
      seen.push(request);
      if (request.message.type === "kit.refuse")
        return { failure: { code: "processor.down", message: "nobody is here", retryable: true } };
      return { reply: { data: request.message.data ?? json(null) } };
    };
    const timeoutMs = 10_000;
    const ask = (type: string) => life.call({ type: "conformance.call", data: json({ type, data: { n: 7 } }), timeoutMs });
    const answered = await life.ended(ask("kit.answer"), ANSWER_LIMIT_MS, "a call that calls back");
    if (JSON.stringify(valueIn(answered.reply)) !== '{"n":7}')
      throw breach(`it answered ${JSON.stringify(valueIn(answered.reply) ?? answered.failure)}`);
    const [request] = seen;
    if (!request?.message.id || !request.message.source) throw breach("the message that it sent has no id or no source");
    if (!request.timeoutMs || request.timeoutMs > timeoutMs)
      throw breach(`it gave ${request.timeoutMs} ms of its ${timeoutMs} ms`);
    const refused = await life.ended(ask("kit.refuse"), ANSWER_LIMIT_MS, "a call that calls back and is refused");
    if (refused.failure?.code !== "processor.down")
      throw breach(`the refusal came back as ${refused.failure?.code ?? "a reply"}`);
    const calls = Array.from({ length: 20 }, () => ask("kit.answer"));
    await life.until("every call ends", () => calls.every(({ ends }) => ends.length > 0), ANSWER_LIMIT_MS);
    await assertOnce(life, calls);
    return `${seen.length} calls answered`;
  },
});

/** What a processor with the types of the full kit must do besides. */
export const fullChecks: readonly KitCheck[] = [declares, echoes, fails, counts, windows, callsBack];
