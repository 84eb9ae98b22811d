import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { coreError } from "@metanode/core/errors";
import { createMemoryLog } from "@metanode/core/log";
import { compileGraph, type GraphDocument, openStreams, planGraph, type Streams } from "@metanode/streaming";
import { Exit, INTERRUPTED, PARTIAL } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import { statusText } from "../output/graphs.ts";
import type { Output } from "../output/output.ts";
import { documentOf } from "./graphs.ts";

/** `metanode stream exec`: a graph in this process, to its end. */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const document = await givenDocument(invocation);
  const folder = mkdtempSync(join(tmpdir(), "metanode-stream-"));
  const changed = new EventTarget();
  const log = createMemoryLog();
  const streams = await openStreams({
    folder,
    services: { log },
    functions: { [STANDARD_OUTPUT]: (record: unknown) => written(output, record) },
    onChange: () => changed.dispatchEvent(new Event("change")),
  });
  let isInterrupted = false;
  const interrupt = (): void => {
    isInterrupted = true;
    void streams.stop("exec").catch(() => undefined);
  };
  process.once("SIGINT", interrupt);
  try {
    await streams.apply(withStandardOutput(document));
    streams.graph("exec").log.follow(({ node, text }) => output.talk(`${node === "" ? "graph" : node}: ${text}`));
    await streams.run("exec");
    const last = await untilEnd(streams, changed).catch((error: unknown) => {
      // Ctrl-C reaches the programs of the stages too, and may end them first.
      throw isInterrupted ? new Exit(INTERRUPTED) : error;
    });
    if (invocation.has("stats") && last !== undefined) output.talk(statusText(output, last));
    await tellLetters(invocation, log);
    if (isInterrupted) throw new Exit(INTERRUPTED);
  } finally {
    process.removeListener("SIGINT", interrupt);
    await streams.close();
    await log.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const STANDARD_OUTPUT = "standard.output";

/** What the last stages give is what the command prints, as a pipe does. */
function withStandardOutput(document: GraphDocument): GraphDocument {
  const { graph } = compileGraph(document);
  const { sinks } = planGraph(graph);
  const taken = new Set(graph.nodes.map(({ name }) => name));
  let name = "stdout";
  while (taken.has(name)) name += "0";
  return {
    name: "exec",
    nodes: [...graph.nodes, { name, action: STANDARD_OUTPUT }],
    edges: [...graph.edges, ...sinks.map((sink) => [sink, name] as const)],
  };
}

/** Waits while whoever reads is slow. */
function written(output: Output, record: unknown): Promise<void> | undefined {
  if (record instanceof Uint8Array) output.raw(record);
  else output.line(typeof record === "string" ? record : JSON.stringify(record));
  if (!process.stdout.writableNeedDrain) return undefined;
  return new Promise((resolve) => process.stdout.once("drain", resolve));
}

/** Waits for the end; returns the last numbers. @throws {MetanodeError} processor.failed */
async function untilEnd(streams: Streams, changed: EventTarget) {
  let last = streams.status("exec");
  for (;;) {
    last = streams.status("exec") ?? last;
    const { state, reason } = streams.get("exec");
    if (state === "completed" || state === "stopped") return last && { ...last, state, at: new Date().toISOString() };
    if (state === "restarting" || state === "failed") throw coreError("processor.failed", `the graph failed: ${reason}`);
    await Promise.race([
      new Promise((resolve) => changed.addEventListener("change", resolve, { once: true })),
      new Promise((resolve) => setTimeout(resolve, 200)),
    ]);
  }
}

/** Records that were given up on make the command fail: their reasons are told. */
async function tellLetters({ output }: Invocation, log: ReturnType<typeof createMemoryLog>): Promise<void> {
  const { items } = await log.deadLetters.list();
  for (const { message, error } of items) output.talk(`given up: ${JSON.stringify(message.data)}: ${error.message}`);
  if (items.length > 0) throw new Exit(PARTIAL);
}

/** An expression with its commands, or a file. */
async function givenDocument(invocation: Invocation): Promise<GraphDocument> {
  const given = invocation.arg(0);
  const commands = invocation.pairs("node");
  if (commands === undefined && (given.startsWith("@") || given === "-")) return (await documentOf(given)) as GraphDocument;
  const { graph } = compileGraph({ expression: given });
  const nodes = graph.nodes.map(({ name }) => {
    const command = commands?.[name];
    return command === undefined ? { name } : { name, command };
  });
  return { expression: given, nodes };
}
