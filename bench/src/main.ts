/**
 * `npm run bench -- <name>`: takes the figures of one bench, ours and the peers' in turns, and prints a table, or with
 * `--json` one object, on stdout. Everything else goes to stderr. Exit status 2 for wrong usage, 1 if ours did not run.
 */
import { spawnSync } from "node:child_process";
import { availableParallelism, cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { type BenchArgs, parseBenchArgs, USAGE } from "./args.ts";
import { benches } from "./benches/all.ts";
import type { Bench } from "./contender.ts";
import { installPeers } from "./install.ts";
import { type Circumstances, createReport, formatReport } from "./report.ts";
import { runBench } from "./run.ts";

const say = (text: string): void => console.error(`bench: ${text}`);

function circumstances(): Circumstances {
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  const { stdout, status } = spawnSync("git", ["rev-parse", "--short", "HEAD"], { cwd, encoding: "utf8" });
  return {
    node: process.versions.node,
    cpus: availableParallelism(),
    machine: cpus()[0]?.model.trim() ?? "unknown",
    commit: status === 0 ? stdout.trim() : "unknown",
  };
}

async function run(bench: Bench, args: BenchArgs): Promise<void> {
  if (args.install) installPeers(say);
  const { samples, sampleMs, only } = args;
  const results = await runBench(bench, { samples, sampleMs, only, onProgress: say });
  const report = createReport(bench, results, circumstances());
  console.log(args.json ? JSON.stringify(report) : formatReport(report));
  if (report.measures.some(({ ours }) => ours === null)) process.exitCode = 1;
}

function list(json: boolean): void {
  const named = benches.map(({ name, question, measures, peers }) => ({
    bench: name,
    question,
    measures: measures.map((measure) => measure.name),
    peers: peers.map((peer) => peer.name),
  }));
  if (json) console.log(JSON.stringify(named));
  else for (const { bench, question, measures } of named) console.log(`${bench}\t${measures.join(", ")}\t${question}`);
}

function refuse(text: string): void {
  say(`${text}\n${USAGE}`);
  process.exitCode = 2;
}

async function main(): Promise<void> {
  let args: BenchArgs;
  try {
    args = parseBenchArgs(process.argv.slice(2));
  } catch (error) {
    refuse((error as Error).message);
    return;
  }
  const bench = benches.find(({ name }) => name === args.name);
  if (args.list) list(args.json);
  else if (bench === undefined) {
    const found = args.name === undefined ? "no bench is named" : `there is no bench ${args.name}`;
    refuse(`${found}, expected one of ${benches.map(({ name }) => name).join(", ")}`);
  } else {
    const known = [bench.ours, ...bench.peers].map(({ name }) => name);
    const stranger = args.only?.find((name) => !known.includes(name));
    if (stranger === undefined) await run(bench, args);
    else refuse(`--only names ${stranger}, expected some of ${known.join(", ")}`);
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
await main();
// A peer that keeps a timer or a socket open must not keep the command from ending.
process.exit();
