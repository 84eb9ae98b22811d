/**
 * Runs simulated trees of nodes, seed by seed, on every processor of the machine, and says which broke an invariant.
 * `npm run simulate -- --seeds 10000`; one seed again, with all that happened: `npm run simulate -- --seed 37`.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { simulateTree } from "../packages/core/src/testing/tree/index.ts";

interface Share {
  readonly from: number;
  readonly until: number;
  readonly step: number;
}

interface Found {
  readonly seed: number;
  readonly violations: readonly string[];
}

interface Report {
  readonly seeds: number;
  readonly ended: number;
  readonly broken: readonly Found[];
}

async function runShare({ from, until, step }: Share): Promise<Report> {
  // Thousands of errors are made on purpose, and nobody looks at their stacks.
  Error.stackTraceLimit = 0;
  const broken: Found[] = [];
  let [seeds, ended] = [0, 0];
  for (let seed = from; seed < until; seed += step) {
    const result = await simulateTree({ seed });
    seeds++;
    ended += result.ended;
    if (result.violations.length > 0) broken.push({ seed, violations: result.violations });
  }
  return { seeds, ended, broken };
}

function inWorker(share: Share): Promise<Report> {
  return new Promise((resolve, reject) => {
    // Worlds come and go faster than the usual young generation holds them.
    const worker = new Worker(new URL(import.meta.url), { workerData: share, resourceLimits: { maxYoungGenerationSizeMb: 192 } });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

async function replay(seed: number): Promise<number> {
  const { trace, violations } = await simulateTree({ seed });
  process.stdout.write(`${trace.join("\n")}\n`);
  for (const violation of violations) process.stdout.write(`BROKEN ${violation}\n`);
  return violations.length === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { seeds: { type: "string", default: "10000" }, from: { type: "string", default: "1" }, seed: { type: "string" } },
  });
  if (values.seed !== undefined) return replay(Number(values.seed));
  const from = Number(values.from);
  const until = from + Number(values.seeds);
  const threads = availableParallelism();
  const startMs = performance.now();
  const shares = Array.from({ length: threads }, (_, n) => inWorker({ from: from + n, until, step: threads }));
  const reports = await Promise.all(shares);
  const broken = reports.flatMap((report) => report.broken);
  for (const { seed, violations } of broken) process.stdout.write(`seed ${seed}: ${violations.join("; ")}\n`);
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  const [seeds, ended] = [
    reports.reduce((sum, report) => sum + report.seeds, 0),
    reports.reduce((sum, { ended: n }) => sum + n, 0),
  ];
  process.stdout.write(`${seeds} seeds, ${ended} operations ended, ${broken.length} broken, ${seconds} s\n`);
  return broken.length === 0 ? 0 : 1;
}

if (isMainThread) process.exitCode = await main();
else parentPort?.postMessage(await runShare(workerData as Share));
