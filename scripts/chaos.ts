import { parseArgs } from "node:util";
import { runChaos as runProcessorChaos } from "../packages/core/test/processor/chaos.ts";
import { runChaos as runNatureChaos } from "../packages/nature/test/chaos/chaos.ts";
import { startPostgres } from "../packages/nature/test/postgres/server.ts";

/*
 * Random kill -9 under load, in full, and a count of what is left.
 *   npm run chaos -- [processors] [--kills 200] [--rate 1000] [--seed 1] [--json]   processors under a stream of durable messages
 *   npm run chaos -- nature [--kills 50] [--rate 200] [--seed 1] [--json]           one of two engines on one PostgreSQL under a stream of orders
 * Exit status 0 only if nothing was lost or done twice.
 */

/** What every run is told. */
interface ChaosArgs {
  readonly kills: number;
  readonly perSecond: number;
  readonly seed: number;
  readonly onProgress: (text: string) => void;
}

/** What was found: for programs, for people, and whether all is well. */
interface Found {
  readonly report: object;
  readonly lines: readonly string[];
  readonly isWhole: boolean;
}

interface Chaos {
  readonly kills: number;
  readonly perSecond: number;
  /** What is killed under what, in words. */
  readonly what: string;
  run(args: ChaosArgs): Promise<Found>;
}

const table: Readonly<Record<string, Chaos>> = {
  processors: { kills: 200, perSecond: 1_000, what: "durable messages a second", run: processors },
  nature: { kills: 50, perSecond: 200, what: "orders a second", run: nature },
};

async function processors(args: ChaosArgs): Promise<Found> {
  const report = await runProcessorChaos(args);
  const { accepted, lost, deadLetters, duplicates, repeatedAttempts, strangers, others, otherErrors } = report;
  return {
    report,
    lines: [
      killed(report),
      `${accepted} messages accepted, ${lost} lost, ${deadLetters} dead letters`,
      `${duplicates} handled again, ${repeatedAttempts} of them without saying so, ${strangers} never sent`,
      `${others} calls to another type, ${otherErrors.length} errors`,
      ...otherErrors.slice(0, 10).map((error) => `  ${error}`),
    ],
    isWhole: lost + strangers + deadLetters + repeatedAttempts + otherErrors.length === 0,
  };
}

async function nature(args: ChaosArgs): Promise<Found> {
  const server = await startPostgres();
  try {
    const report = await runNatureChaos({ ...args, databaseUrl: server.url });
    const { accepted, resent, lost, doubled, strangers, versions, gaps, forks, wrongTotals, left, failed, repeated } = report;
    return {
      report,
      lines: [
        killed(report),
        `${accepted} orders accepted, ${resent} of the tries put in again, ${lost} steps lost, ${doubled} done twice, ${strangers} never put in`,
        `${versions} versions of accounts, ${gaps} gaps, ${forks} forks, ${wrongTotals} wrong totals`,
        `${left} tasks left, ${failed} failed, ${repeated} runs of an executor repeated`,
      ],
      isWhole: lost + doubled + strangers + gaps + forks + wrongTotals + left + failed === 0 && versions === accepted,
    };
  } finally {
    await server.dispose();
  }
}

function killed({ kills, durationMs }: { readonly kills: number; readonly durationMs: number }): string {
  return `${kills} kills in ${Math.round(durationMs / 1_000)} s`;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kills: { type: "string" },
    rate: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    json: { type: "boolean", default: false },
  },
});
const [name = "processors", ...more] = positionals;
const chaos = table[name];
if (chaos === undefined || more.length > 0) {
  console.error(`expected one of ${Object.keys(table).join(", ")}, found ${positionals.join(" ")}`);
  process.exit(2);
}
const kills = Number(values.kills ?? chaos.kills);
const perSecond = Number(values.rate ?? chaos.perSecond);
console.error(`seed ${values.seed}: ${kills} kills under ${perSecond} ${chaos.what}`);
const onProgress = (text: string): void => console.error(text);
const { report, lines, isWhole } = await chaos.run({ kills, perSecond, seed: Number(values.seed), onProgress });
if (values.json) console.log(JSON.stringify(report));
else for (const line of lines) console.log(line);
process.exitCode = isWhole ? 0 : 1;
