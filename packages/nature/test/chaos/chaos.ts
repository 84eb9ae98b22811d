import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { seededRandom } from "@metanode/core/internal";
import pg from "pg";
import { testFolder } from "../fixtures/folder.ts";
import { type Audit, audit, openTasks } from "./audit.ts";
import { EngineHandle } from "./engine-handle.ts";

/** How hard it is. */
export interface ChaosOptions {
  /** Of an empty database, for as many engines as like. */
  readonly databaseUrl: string;
  /** Random kills of engines, one after the other. */
  readonly kills: number;
  /** Orders a second. */
  readonly perSecond: number;
  /** Draws which engine dies and when; a run with the same seed kills in the same order. */
  readonly seed: number;
  /** Longest time between the moment at which both engines are up and the next kill, in milliseconds; the true one is drawn. @default 500 */
  readonly betweenKillsMs?: number;
  /** How long everything accepted may take to be done after the last kill. @default 120_000 */
  readonly settleMs?: number;
  /** Told now and then. */
  readonly onProgress?: (text: string) => void;
}

/** What was counted, in the database and in the ledger of the executors. */
export interface ChaosReport extends Audit {
  readonly seed: number;
  readonly kills: number;
  /** Orders that an engine said are stored. */
  readonly accepted: number;
  /** Orders that were put in again, because the engine died before it answered, or refused them. */
  readonly resent: number;
  /** Runs of the first step beyond the first of an order: what a killed engine had begun. */
  readonly repeated: number;
  readonly durationMs: number;
}

const ENGINES = 2;

/** A stream of orders to whichever engine is up, until it is told to stop. */
class Sender {
  readonly accepted = new Set<number>();
  resent = 0;
  readonly #engines: readonly EngineHandle[];
  readonly #random: () => number;
  #isStopped = false;

  constructor(engines: readonly EngineHandle[], random: () => number) {
    this.#engines = engines;
    this.#random = random;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Puts in what is due since the start, then waits a little: a late turn is made up for. Ends when all are stored. */
  async run(perSecond: number): Promise<void> {
    const startMs = performance.now();
    const open = new Set<Promise<void>>();
    for (let order = 1; !this.#isStopped; ) {
      const due = ((performance.now() - startMs) * perSecond) / 1_000;
      while (order <= due) {
        const put = this.#put(order++).finally(() => open.delete(put));
        open.add(put);
      }
      await delay(5);
    }
    await Promise.all(open);
  }

  async #put(order: number): Promise<void> {
    for (;;) {
      const up = this.#engines.filter(({ isReady }) => isReady);
      const engine = up[Math.floor(this.#random() * up.length)];
      if (engine === undefined) {
        await delay(10);
        continue;
      }
      try {
        await engine.put(order);
        this.accepted.add(order);
        return;
      } catch {
        this.resent++;
        await delay(10);
      }
    }
  }
}

async function killSome(engines: readonly EngineHandle[], options: ChaosOptions, random: () => number): Promise<number> {
  let kills = 0;
  while (kills < options.kills) {
    await delay(random() * (options.betweenKillsMs ?? 500));
    const victim = engines[Math.floor(random() * engines.length)] as EngineHandle;
    await victim.kill();
    kills++;
    if (kills % 10 === 0) options.onProgress?.(`${kills} of ${options.kills} kills`);
    await victim.start();
  }
  return kills;
}

/** Resolves when no task is left, or the time is up. */
async function untilDone(client: pg.Client, limitMs: number): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (performance.now() < endMs && (await openTasks(client)) > 0) await delay(50);
}

/**
 * Two engines on one PostgreSQL, of which one after the other is killed at random under a stream of orders and started again; then counts, in
 * the database itself.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { databaseUrl, seed } = options;
  await using folder = await testFolder();
  const ledger = join(folder.path, "ledger");
  const client = new pg.Client(databaseUrl);
  await client.connect();
  const engines = Array.from({ length: ENGINES }, () => new EngineHandle(databaseUrl, ledger));
  try {
    await Promise.all(engines.map((engine) => engine.start()));
    const startMs = performance.now();
    const random = seededRandom(seed);
    const sender = new Sender(engines, seededRandom(seed + 1));
    const sending = sender.run(options.perSecond);
    const kills = await killSome(engines, options, random);
    sender.stop();
    await sending;
    options.onProgress?.(`${sender.accepted.size} orders accepted; waiting until they are done`);
    await untilDone(client, options.settleMs ?? 120_000);
    await Promise.all(engines.map((engine) => engine.end()));
    const runs = readFileSync(ledger, "utf8").trimEnd().split("\n");
    return {
      seed,
      kills,
      accepted: sender.accepted.size,
      resent: sender.resent,
      ...(await audit(client, sender.accepted)),
      repeated: runs.length - new Set(runs).size,
      durationMs: performance.now() - startMs,
    };
  } finally {
    await Promise.all(engines.map((engine) => engine.kill()));
    await client.end();
  }
}
