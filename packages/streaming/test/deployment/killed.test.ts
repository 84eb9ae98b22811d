import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { testFolder } from "../tools/folder.ts";

const TOTAL = 3_000;
const KILLS = 4;

function start(folder: string, ledger: string): ChildProcess {
  const file = new URL("./counting-node.ts", import.meta.url).pathname;
  return spawn(process.execPath, [file, folder, ledger, String(TOTAL)], { stdio: ["ignore", "pipe", "inherit"] });
}

function linesOf(ledger: string): string[] {
  return existsSync(ledger) ? readFileSync(ledger, "utf8").trim().split("\n") : [];
}

/** Resolves when the ledger has grown by so many lines, or the process has ended. */
async function grown(ledger: string, by: number, child: ChildProcess): Promise<void> {
  const before = linesOf(ledger).length;
  while (linesOf(ledger).length < before + by && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 2));
}

test("a process that is killed again and again loses nothing that a source handed over, and repeats little", async () => {
  const folder = testFolder();
  const ledger = join(folder, "ledger");
  for (let kills = 0; kills < KILLS; kills++) {
    const child = start(folder, ledger);
    // Waited for from the start: on a busy machine it may have ended by itself before it is killed.
    const ended = once(child, "exit");
    await Promise.race([once(child.stdout as NodeJS.ReadableStream, "data"), ended]);
    await grown(ledger, 300, child);
    child.kill("SIGKILL");
    await ended;
  }
  const last = start(folder, ledger);
  await once(last, "exit");
  const lines = linesOf(ledger);
  const expected = Array.from({ length: TOTAL }, (_, number) => `n${number}`);
  expect(new Set(lines)).toEqual(new Set(expected));
  // What comes twice is what was not committed: at most what was under way at each kill.
  expect(lines.length - TOTAL).toBeLessThanOrEqual(KILLS * TOTAL);
}, 90_000);
