import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasCode } from "@metanode/core";
import { graphExpression, importScheme, openStreams, planGraph, type Streams } from "@metanode/streaming";
import { expect, onTestFinished, test, vi } from "vitest";
import { parse } from "yaml";
import { numbersGraph } from "../src/numbers.ts";

async function running(count: number): Promise<{ streams: Streams; printed: (node: string) => number[] }> {
  const folder = mkdtempSync(join(tmpdir(), "numbers-"));
  const streams = await openStreams({ folder });
  onTestFinished(async () => {
    await streams.close();
    rmSync(folder, { recursive: true, force: true });
  });
  await streams.apply(numbersGraph({ numgen: `--freq=0 --count=${count}`, printer2: "--port=0", printer6: "--port=0" }));
  await streams.run("numbers");
  const printed = (node: string): number[] =>
    streams
      .graph("numbers")
      .log.last(2_000, node)
      .flatMap(({ text }) => (text.startsWith("number ") ? [Number(text.slice(7))] : []));
  return { streams, printed };
}

const multiples = (of: number, upTo: number): number[] =>
  Array.from({ length: Math.floor(upTo / of) }, (_, index) => (index + 1) * of);

test("the numbers come out as the expression says: multiples of two at one printer, of six at the other", async () => {
  const { streams, printed } = await running(120);
  await vi.waitFor(() => expect(streams.get("numbers").state).toBe("completed"), 10_000);
  expect(printed("printer2")).toEqual(multiples(2, 120));
  expect(printed("printer6")).toEqual(multiples(6, 120));
});

test("a filter that is killed takes no number with it", async () => {
  const { streams, printed } = await running(2_000);
  const pid = await vi.waitFor(() => {
    const found = streams.status("numbers")?.nodes.find(({ name }) => name === "filter3")?.details?.pid;
    expect(found).toBeTypeOf("number");
    return found as number;
  }, 10_000);
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (hasCode(error, "ESRCH")) throw new Error("it had ended before it could be killed");
  }
  await vi.waitFor(() => expect(streams.get("numbers").state).toBe("completed"), 10_000);
  expect([...new Set(printed("printer6"))]).toEqual(multiples(6, 2_000));
});

test("the scheme of GoStreaming is the same graph", () => {
  const { graph, warnings } = importScheme(parse(readFileSync(new URL("../scheme.yaml", import.meta.url), "utf8")));
  expect(warnings).toEqual([]);
  expect(graphExpression(graph)).toBe("numgen; filter2; ((filter3; printer6) || printer2)");
  expect(planGraph(graph).sinks).toEqual(["printer2", "printer6"]);
  expect(graph.nodes.find(({ name }) => name === "printer6")).toMatchObject({ egress: "all", env: { SECRET_KEY: "please" } });
});
