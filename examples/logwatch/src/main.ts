import { appendFileSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { openStreams } from "@metanode/streaming";
import { access, logwatchGraph } from "./logwatch.ts";

/**
 * `node src/main.ts [folder] [--visits N] [--once]`: watches `access.log` in the folder and writes `report.jsonl`. With --visits
 * it writes so many lines itself; with --once it ends with the end of the log. Ended and started again, it goes on where it was.
 */
const words = process.argv.slice(2);
const visits = Number(words[words.indexOf("--visits") + 1] ?? 0) * (words.includes("--visits") ? 1 : 0);
const folder = resolve(words.find((word) => !word.startsWith("--") && word !== String(visits)) ?? "logwatch");
mkdirSync(folder, { recursive: true });
for (let number = 0; number < visits; number++) appendFileSync(join(folder, "access.log"), `${JSON.stringify(access(number))}\n`);

const streams = await openStreams({ folder: join(folder, "data") });
await streams.apply(logwatchGraph(folder, { follow: !words.includes("--once") }));
if (streams.get("logwatch").state !== "running") await streams.run("logwatch");
process.stdout.write(`watching ${join(folder, "access.log")}, reporting to ${join(folder, "report.jsonl")}\n`);
process.once("SIGINT", () => void streams.drain());
if (words.includes("--once")) {
  while (streams.get("logwatch").state !== "completed") await new Promise((resolve) => setTimeout(resolve, 20));
  await streams.close();
} else {
  const awake = setInterval(() => undefined, 60_000);
  process.once("SIGINT", () => clearInterval(awake));
}
