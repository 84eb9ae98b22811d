import { coreError } from "../errors.ts";
import { ANSWER_LIMIT_MS, assertOnce, breach, declared, type KitCheck } from "./kit-checks.ts";
import { json, type KitCall, type KitLife } from "./kit-life.ts";
import { describeExit } from "./launch.ts";

/** How long a process may live on without its node (M-25). */
const EXIT_LIMIT_MS = 2_000;

const once: KitCheck = {
  name: "exactly-once",
  title: "over all checks so far ended no call twice and answered none that was never made",
  async run(kit) {
    const life = await kit.life();
    await life.ping(ANSWER_LIMIT_MS);
    const [stray] = life.strays;
    if (stray !== undefined) throw breach(`${life.strays.length} times: ${stray}`);
    return "no stray frame";
  },
};

const drains: KitCheck = {
  name: "drain",
  title: "when drained finishes its calls, says so, and ends with the link",
  async run(kit) {
    const life = await kit.begin();
    await untilGreeted(kit.target.startTimeoutMs, life);
    const calls: KitCall[] = [];
    if (declared(life, "conformance.sleep")) {
      for (let n = 0; n < 3; n++) calls.push(life.call({ type: "conformance.sleep", data: json({ ms: 200 }) }));
    }
    life.send({ drain: { graceMs: ANSWER_LIMIT_MS } });
    await life.until("it says drained", () => life.isDrained, ANSWER_LIMIT_MS);
    const open = calls.filter(({ ends }) => ends.length === 0);
    if (open.length > 0) throw breach(`it said drained with ${open.length} calls open`);
    if (calls.some(({ ends }) => ends[0]?.failure)) throw breach("a call in flight failed, expected it to be finished");
    await assertOnce(life, calls);
    life.end();
    await life.until("it exits", () => life.exit !== undefined, EXIT_LIMIT_MS);
    if (life.exit?.code !== 0)
      throw breach(`it ended with ${life.exit ? describeExit(life.exit) : "nothing"}, expected exit code 0`);
    return `${calls.length} calls finished, exit code 0`;
  },
};

const orphans: KitCheck = {
  name: "node-gone",
  title: "when its node is gone exits within 2 s, with a call open as well, and dials no more",
  async run(kit) {
    const life = await kit.begin();
    await untilGreeted(kit.target.startTimeoutMs, life);
    if (declared(life, "conformance.sleep")) life.call({ type: "conformance.sleep", data: json({ ms: 600_000 }) });
    await life.ping(ANSWER_LIMIT_MS);
    await life.cut();
    await life.until("it exits", () => life.exit !== undefined, EXIT_LIMIT_MS);
    if (life.attachments > 1) throw breach(`it dialled ${life.attachments} times, expected once`);
    return life.exit ? describeExit(life.exit) : "";
  },
};

const refused: KitCheck = {
  name: "version-refused",
  title: "refused for its protocol version, exits with an error within 2 s",
  processOnly: true,
  async run(kit) {
    const text = "this node speaks protocol version 99 only";
    const life = await kit.begin({ refuseWith: coreError("protocol.version", text) });
    await untilGreeted(kit.target.startTimeoutMs, life);
    await life.until("it exits", () => life.exit !== undefined, EXIT_LIMIT_MS);
    if (life.exit?.code === 0) throw breach("it exited with 0, as if nothing were wrong");
    return life.exit ? describeExit(life.exit) : "";
  },
};

/** Writes to the standard output that the processor then inherits. */
const NOISY_SHELL = ["sh", "-c", 'printf \'{"noise":true}\\n\\000\\377 garbage\\n\'; exec "$@"', "sh"];

const noisy: KitCheck = {
  name: "noise",
  title: "standard output carries logs only: noise on it does no harm",
  processOnly: true,
  async run(kit) {
    if (process.platform === "win32") return { skipped: "there is no POSIX shell to make noise with" };
    const life = await kit.begin({ before: NOISY_SHELL });
    await untilGreeted(kit.target.startTimeoutMs, life);
    await life.ping(ANSWER_LIMIT_MS);
    const call = life.call({ type: "conformance.no_such_type" });
    await life.ended(call, ANSWER_LIMIT_MS);
    await assertOnce(life, [call]);
    return "greeted and answered";
  },
};

/** Waits for the hello. @throws {MetanodeError} processor.protocol – it did not come in time, or the process ended. */
export async function untilGreeted(limitMs: number, life: KitLife): Promise<void> {
  await life.until("it greets", () => life.hello !== undefined || life.exit !== undefined, limitMs);
  if (life.hello === undefined) throw life.failure("it ended before its greeting");
}

/** How a processor ends. Each check has a life of its own, except the first, which closes the shared one's account. */
export const endingChecks: readonly KitCheck[] = [once, drains, orphans, refused, noisy];
