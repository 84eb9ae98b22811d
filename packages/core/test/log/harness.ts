import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "../../src/log/log.ts";
import { createMemoryLog } from "../../src/log/memory.ts";
import { openSqliteLog } from "../../src/log/sqlite.ts";
import type { LogHarness } from "../../src/testing/log-conformance.ts";
import { settle, VirtualClock } from "../../src/testing/virtual-clock.ts";

/** A log in memory on virtual time. */
export async function memoryHarness(): Promise<LogHarness> {
  const clock = new VirtualClock();
  const log = createMemoryLog({ clock });
  return { log, tick: (ms) => clock.advance(ms), dispose: () => log.close() };
}

/** A log on SQLite, in a folder of its own, on virtual time. */
export async function sqliteHarness(makeOnUse = false): Promise<LogHarness & { readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), "metanode-log-"));
  const clock = new VirtualClock();
  let log: Log = await openSqliteLog({ folder, makeOnUse, clock });
  return {
    folder,
    get log() {
      return log;
    },
    async tick(ms) {
      await clock.advance(ms);
      await threadIdle(log);
    },
    async reopen() {
      await log.close();
      log = await openSqliteLog({ folder, makeOnUse, clock });
      return log;
    },
    async dispose() {
      await log.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** Two round trips: the thread has done what was asked before, and what the answers to that asked for. */
async function threadIdle(log: Log): Promise<void> {
  for (let round = 0; round < 2; round++) {
    await log.streams().catch(() => undefined); // a closed log has nothing to wait for
    await settle();
  }
}
