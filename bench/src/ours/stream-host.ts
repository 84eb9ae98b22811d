/** A process that hosts a graph which never ends: `node stream-host.ts <folder>`. It sends the number of each record that arrives. */
import { openStreams } from "@metanode/streaming";

const [folder = ""] = process.argv.slice(2);
process.once("disconnect", () => process.exit(0));
const streams = await openStreams({
  folder,
  functions: { pass: (number: number) => number, tell: (number: number) => process.send?.(number) },
});
if (streams.list().length === 0) {
  const nodes = [{ name: "numbers", action: "generate", with: { ratePerSecond: 1_000 } }, { name: "pass" }, { name: "tell" }];
  await streams.apply({ name: "numbers", nodes, expression: "numbers; pass; tell" });
  await streams.run("numbers");
}
