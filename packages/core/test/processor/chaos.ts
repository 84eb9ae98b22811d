import { join } from "node:path";
import { pino } from "pino";
import { seededRandom } from "../../src/member/random.ts";
import { createNode, type MetaNode } from "../../src/node/node.ts";
import { type ProcessorsModule, processors } from "../../src/node/processors.ts";
import { fixture, pidsOf, temporaryFolder } from "../fixtures/host.ts";
import { readLedger } from "../fixtures/ledger.ts";

export interface ChaosOptions {
  /** Random kills of processes, one after the other. */
  kills: number;
  /** Durable messages a second. */
  perSecond: number;
  /** Draws which process dies and when; a run with the same seed kills in the same order. */
  seed: number;
  /** Longest time between two kills, in milliseconds; the true one is drawn. @default 500 */
  betweenKillsMs?: number;
  /** Processes that handle the durable messages. @default 3 */
  processes?: number;
  /** How long everything accepted may take to be handled after the last kill. @default 120_000 */
  settleMs?: number;
  /** Told now and then. */
  onProgress?: (text: string) => void;
}

export interface ChaosReport {
  readonly seed: number;
  readonly kills: number;
  readonly accepted: number;
  /** Messages that were accepted and never handled: must be 0. */
  readonly lost: number;
  /** Messages handled that nobody sent: must be 0. */
  readonly strangers: number;
  readonly deadLetters: number;
  /** Handlings beyond the first of a message. */
  readonly duplicates: number;
  /** Messages whose later handlings did not carry a higher attempt: must be 0. */
  readonly repeatedAttempts: number;
  /** Calls to another type meanwhile, and their errors: must be 0. */
  readonly others: number;
  readonly otherErrors: readonly string[];
  readonly durationMs: number;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A stream of durable messages that goes on until it is told to stop. */
class Sender {
  readonly accepted = new Set<string>();
  readonly refused: unknown[] = [];
  readonly #node: MetaNode;
  #stopped = false;
  #n = 0;

  constructor(node: MetaNode) {
    this.#node = node;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Sends what is due since the start, then waits a little: a late turn is made up for. */
  async run(perSecond: number): Promise<void> {
    const startMs = performance.now();
    const open = new Set<Promise<void>>();
    while (!this.#stopped) {
      const due = ((performance.now() - startMs) * perSecond) / 1_000;
      while (this.#n < due) {
        const sent = this.#send(this.#n++).finally(() => open.delete(sent));
        open.add(sent);
      }
      await pause(5);
    }
    await Promise.all(open);
  }

  async #send(n: number): Promise<void> {
    const id = `chaos-${n}`;
    try {
      await this.#node.send({ id, type: "ledger.add", data: { n } });
      this.accepted.add(id);
    } catch (error) {
      this.refused.push(error);
    }
  }
}

/** Calls of another type, one after the other, all the while. */
async function callOthers(node: MetaNode, isOver: () => boolean): Promise<{ count: number; errors: string[] }> {
  const errors: string[] = [];
  let count = 0;
  while (!isOver()) {
    await node.call({ type: "work.quick" }).catch((error: Error) => errors.push(error.message));
    count++;
    await pause(2);
  }
  return { count, errors };
}

async function killSome(module: ProcessorsModule, options: ChaosOptions): Promise<number> {
  const random = seededRandom(options.seed);
  let kills = 0;
  while (kills < options.kills) {
    await pause(random() * (options.betweenKillsMs ?? 500));
    const victims = pidsOf(module.host, "ledger");
    const victim = victims[Math.floor(random() * victims.length)];
    if (victim === undefined) continue; // all of them are on their way back
    try {
      process.kill(victim, "SIGKILL");
      kills++;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it died between the look and the kill
    }
    if (kills % 20 === 0) options.onProgress?.(`${kills} of ${options.kills} kills`);
  }
  return kills;
}

async function untilHandled(node: MetaNode, limitMs: number): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (performance.now() < endMs) {
    if (((await node.backlog())["ledger.add"] ?? 0) === 0) return;
    await pause(50);
  }
}

/**
 * Kills random processes under a stream of durable messages, and counts. What was handled is written down by the
 * processors themselves, one line per handling, so that nothing that the node believes is taken for granted.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  await using folder = await temporaryFolder();
  const ledger = join(folder.path, "ledger");
  const restart = { backoffMs: 10, maxBackoffMs: 100, quarantineAfter: 1_000_000 };
  const module = processors([
    { name: "ledger", file: fixture("ledger"), processes: options.processes ?? 3, env: { FIXTURE_LEDGER: ledger }, restart },
    { name: "working", file: fixture("working") },
  ]);
  await using node = await createNode({
    name: "chaos",
    folder: join(folder.path, "data"),
    modules: [module],
    logger: pino({ level: "silent" }),
    durable: { backoffMs: [10, 100, 500], maxAttempts: 50 },
  });
  const startMs = performance.now();
  const sender = new Sender(node);
  let isOver = false;
  const others = callOthers(node, () => isOver);
  const sending = sender.run(options.perSecond);
  const kills = await killSome(module, options);
  sender.stop();
  await sending;
  options.onProgress?.(`${sender.accepted.size} messages accepted; waiting until they are handled`);
  await untilHandled(node, options.settleMs ?? 120_000);
  isOver = true;
  const { count, errors } = await others;
  const refusals = sender.refused.map((error) => `a send was refused: ${(error as Error).message}`);
  return {
    seed: options.seed,
    kills,
    ...audit(ledger, sender.accepted),
    deadLetters: await node.deadLetters.count(),
    others: count,
    otherErrors: [...errors, ...refusals],
    durationMs: performance.now() - startMs,
  };
}

function audit(
  file: string,
  accepted: ReadonlySet<string>,
): Pick<ChaosReport, "accepted" | "lost" | "strangers" | "duplicates" | "repeatedAttempts"> {
  const attempts = new Map<string, number[]>();
  const lines = readLedger(file);
  for (const { id, attempt } of lines) attempts.set(id, [...(attempts.get(id) ?? []), attempt]);
  return {
    accepted: accepted.size,
    lost: [...accepted].filter((id) => !attempts.has(id)).length,
    strangers: [...attempts.keys()].filter((id) => !accepted.has(id)).length,
    duplicates: lines.length - attempts.size,
    repeatedAttempts: [...attempts.values()].filter((list) => new Set(list).size !== list.length).length,
  };
}
