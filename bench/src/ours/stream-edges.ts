import { rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { openSqliteLog } from "@metanode/core/log";
import { iterableAction, openStreams, type Streams } from "@metanode/streaming";
import type { Sampler } from "../contender.ts";
import { diskFolder } from "../processes.ts";
import { fanRecords, prove, rounds, Sink } from "../stream-load.ts";

const RECORDS = 100_000;
const EDGES = 100;
const IDLE_MS = 5_000;

/** Samplers of hosted graphs: of an edge in memory and in the log, and of a hundred idle edges. */
export async function edgeSamplers(): Promise<{ samplers: Record<string, Sampler>; close(): Promise<void> }> {
  const folder = diskFolder("stream-");
  const log = await openSqliteLog({ folder });
  let sink = new Sink();
  const streams = await openStreams({
    folder,
    services: { log },
    functions: {
      texts: iterableAction(() => fanRecords(RECORDS)),
      sink: (text: string) => sink.addText(text),
      idle: iterableAction(idle),
      pass: (text: string) => text,
    },
  });
  let graphs = 0;
  const round = async (buffer: "memory" | "durable"): Promise<number> => {
    sink = new Sink();
    // A graph of its own each time: the log knows records by their ids.
    await complete(streams, `edge${graphs++}`, buffer);
    prove(sink, { count: RECORDS, sum: RECORDS * 64 });
    return RECORDS;
  };
  return {
    samplers: {
      "edge.memory": (durationMs) => rounds(durationMs, () => round("memory")),
      "edge.durable": (durationMs) => rounds(durationMs, () => round("durable")),
      idle100: () => idlePercent(streams),
    },
    close: async () => {
      await streams.close();
      await log.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function complete(streams: Streams, name: string, buffer: "memory" | "durable"): Promise<void> {
  await streams.apply({ name, nodes: [{ name: "texts" }, { name: "sink", buffer }], expression: "texts; sink" });
  await streams.run(name);
  const end = await streams.graph(name).run?.ended;
  if (end !== undefined && end.outcome !== "completed")
    throw new Error(`the graph ended as ${end.outcome}`, { cause: end.error });
  await streams.remove(name, { force: true });
}

/** One record, so that every edge has been used, and then nothing. */
async function* idle(): AsyncGenerator<string> {
  yield "first";
  await new Promise(() => undefined);
}

async function idlePercent(streams: Streams): Promise<number> {
  const stages = Array.from({ length: EDGES }, (_, index) => ({ name: `stage${index}`, action: "pass" }));
  const nodes = [{ name: "idle" }, ...stages];
  await streams.apply({ name: "idle100", nodes, expression: nodes.map(({ name }) => name).join("; ") });
  await streams.run("idle100");
  await delay(1_000);
  const startMs = performance.now();
  const before = process.cpuUsage();
  await delay(IDLE_MS);
  const { user, system } = process.cpuUsage(before);
  const percent = (user + system) / 10 / (performance.now() - startMs);
  const edges = streams.status("idle100")?.edges ?? [];
  prove({ used: edges.filter(({ records }) => records === 1).length }, { used: EDGES });
  await streams.remove("idle100", { force: true });
  return percent;
}
