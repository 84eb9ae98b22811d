import { parseArgs } from "node:util";
import { runChaos } from "../packages/core/test/processor/chaos.ts";

/*
 * Random kill -9 of processors under a stream of durable messages, in full: 200 kills, 1,000 messages a second.
 *   npm run chaos -- [--kills 200] [--rate 1000] [--seed 1] [--json]
 * Exit status 0 only if nothing was lost and no other type saw an error.
 */
const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    rate: { type: "string", default: "1000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    json: { type: "boolean", default: false },
  },
});
console.error(`seed ${values.seed}: ${values.kills} kills under ${values.rate} durable messages a second`);
const report = await runChaos({
  kills: Number(values.kills),
  perSecond: Number(values.rate),
  seed: Number(values.seed),
  onProgress: (text) => console.error(text),
});
if (values.json) console.log(JSON.stringify(report));
else {
  console.log(`${report.kills} kills in ${Math.round(report.durationMs / 1_000)} s`);
  console.log(`${report.accepted} messages accepted, ${report.lost} lost, ${report.deadLetters} dead letters`);
  console.log(
    `${report.duplicates} handled again, ${report.repeatedAttempts} of them without saying so, ${report.strangers} never sent`,
  );
  console.log(`${report.others} calls to another type, ${report.otherErrors.length} errors`);
  for (const error of report.otherErrors.slice(0, 10)) console.log(`  ${error}`);
}
const isWhole = report.lost + report.strangers + report.deadLetters + report.repeatedAttempts + report.otherErrors.length === 0;
process.exitCode = isWhole ? 0 : 1;
