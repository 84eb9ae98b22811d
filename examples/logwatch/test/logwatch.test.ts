import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";
import { access } from "../src/logwatch.ts";

interface Window {
  readonly key: string;
  readonly start: number;
  readonly count: number;
}

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "logwatch-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function start(folder: string, ...options: string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [main, folder, ...options], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout as NodeJS.ReadableStream, "data");
  return child;
}

/** The lines of the report, whole ones only. */
function report(folder: string): Record<string, unknown>[] {
  const file = join(folder, "report.jsonl");
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Windows by key and start; a window that was reported twice has to be the same both times. */
function windowsOf(folder: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of report(folder)) {
    if (line.start === undefined) continue;
    const { key, start, count } = line as unknown as Window;
    const name = `${key} ${start}`;
    expect(found.get(name) ?? count).toBe(count);
    found.set(name, count);
  }
  return found;
}

function expected(visits: number): Map<string, number> {
  const windows = new Map<string, number>();
  for (let number = 0; number < visits; number++) {
    const { at, status } = access(number);
    const name = `${status} ${Math.floor(Date.parse(at) / 10_000) * 10_000}`;
    windows.set(name, (windows.get(name) ?? 0) + 1);
  }
  return windows;
}

test("a log is read to its end, and every window is in the report", async () => {
  const folder = testFolder();
  const child = await start(folder, "--visits", "1000", "--once");
  await once(child, "exit");
  expect(windowsOf(folder)).toEqual(expected(1_000));
  const slow = report(folder).filter(({ ms }) => Number(ms) > 1_000);
  expect(slow).toHaveLength(Math.ceil(1_000 / 97));
});

test("a process that is killed again and again while the log grows reports the same windows", async () => {
  const folder = testFolder();
  const log = join(folder, "access.log");
  const perRound = 400;
  for (let round = 0; round < 4; round++) {
    for (let number = round * perRound; number < (round + 1) * perRound; number++) {
      appendFileSync(log, `${JSON.stringify(access(number))}\n`);
    }
    const child = await start(folder);
    const before = report(folder).length;
    await vi.waitFor(() => expect(report(folder).length).toBeGreaterThan(before), 10_000);
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  const last = await start(folder, "--once");
  await once(last, "exit");
  expect(windowsOf(folder)).toEqual(expected(4 * perRound));
}, 40_000);
