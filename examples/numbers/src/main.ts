import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStreams } from "@metanode/streaming";
import { numbersGraph } from "./numbers.ts";

/** Runs the graph until it is interrupted, and shows what its programs say. */
const folder = mkdtempSync(join(tmpdir(), "numbers-"));
const streams = await openStreams({ folder });
await streams.apply(numbersGraph());
streams.graph("numbers").log.follow(({ node, text }) => process.stdout.write(`${node}: ${text}\n`));
await streams.run("numbers");
process.stdout.write("multiples of two: nc 127.0.0.1 12012; of six: nc 127.0.0.1 16016; Ctrl-C ends it\n");
process.once("SIGINT", async () => {
  await streams.drain();
  rmSync(folder, { recursive: true, force: true });
});
