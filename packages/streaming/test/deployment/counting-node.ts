import { appendFileSync } from "node:fs";
import { openSqliteLog } from "@metanode/core/log";
import { openStreams } from "../../src/index.ts";
import { NumberSource } from "../run/counting.ts";

/** A process that hosts a graph: numbers from its folder's source, through a program, into a ledger. Killed by its test. */
const [folder = "", ledger = "", total = "0"] = process.argv.slice(2);
const source = new NumberSource();
source.give(Number(total));
source.finish();
const log = await openSqliteLog({ folder });
const streams = await openStreams({
  folder,
  services: { log },
  functions: {
    numbers: { source: () => source },
    keep: async (line: string) => {
      appendFileSync(ledger, `${line}\n`);
      await new Promise((resolve) => setImmediate(resolve));
    },
  },
});
await streams.apply({
  name: "counting",
  nodes: [{ name: "numbers" }, { name: "sed", command: "sed -u s/^/n/", answers: "one" }, { name: "keep" }],
  expression: "numbers; sed; keep",
});
if (streams.get("counting").desired !== "running" && streams.get("counting").state !== "completed") await streams.run("counting");
process.stdout.write("up\n");
setInterval(() => {
  if (streams.get("counting").state === "completed") process.exit(0);
}, 5);
