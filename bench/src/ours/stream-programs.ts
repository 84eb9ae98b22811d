import { rmSync } from "node:fs";
import { type Action, compileGraph, functionAction, type GraphNode, GraphRun, programAction } from "@metanode/streaming";
import type { Sampler } from "../contender.ts";
import { temporaryFolder } from "../processes.ts";
import { type LinesFile, linesFile, prove, sizes } from "../stream-load.ts";

const env = { LC_ALL: "C" };

/** Samplers of graphs of Unix programs over the files in `folder`. */
export function programSamplers(folder: string): Record<string, Sampler> {
  const external = Object.entries(sizes).map(([size, length]): [string, Sampler] => {
    const file = linesFile(folder, length);
    return [`pipe4.external${size}`, async () => file.bytes / 1e6 / (await secondsOf(file, true))];
  });
  const short = linesFile(folder, sizes[""], { isShort: true });
  return {
    ...Object.fromEntries(external),
    "edge.fused": async () => short.lines / (await secondsOf(short, true)),
    "edge.unfused": async () => short.lines / (await secondsOf(short, false)),
  };
}

/** Counts the lines with an `a` by four programs; the counts of the runs are added up by a function. */
async function secondsOf(file: LinesFile, fuse: boolean): Promise<number> {
  let lines = 0;
  const sum = functionAction((text: string) => {
    lines += Number(text);
  });
  const nodes: GraphNode[] = [
    { name: "cat", command: ["cat", file.path], replay: "rerun" },
    { name: "grep", command: "grep a", env, fuse },
    { name: "tr", command: "tr a-z A-Z", env, fuse },
    { name: "wc", command: "wc -l", env, fuse },
    { name: "sum" },
  ];
  const { graph } = compileGraph({ name: "pipe4", expression: "cat; grep; tr; wc; sum", nodes });
  const actions = new Map<string, Action>(
    graph.nodes.map((node) => [node.name, node.name === "sum" ? sum : programAction(node)]),
  );
  const folder = temporaryFolder("stream-");
  try {
    const startMs = performance.now();
    const { outcome, error } = await (await GraphRun.open({ graph, actions, folder })).ended;
    const seconds = (performance.now() - startMs) / 1_000;
    if (outcome !== "completed") throw new Error(`the graph ended as ${outcome}`, { cause: error });
    prove({ lines }, { lines: file.matching });
    return seconds;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
