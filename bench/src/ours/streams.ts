import { createFlow, filter, parallel } from "@metanode/streaming";
import type { Running } from "../contender.ts";
import { fanRecords, fits, measured, records, Sink, type StreamWorld, weighed, worldSamplers } from "../stream-load.ts";
import { edgeSamplers } from "./stream-edges.ts";
import { faultSamplers } from "./stream-faults.ts";
import { programSamplers } from "./stream-programs.ts";

/** Graphs of ours. */
export async function ourStreams(folder: string): Promise<Running> {
  const edges = await edgeSamplers();
  return {
    samplers: { ...programSamplers(folder), ...worldSamplers(world), ...edges.samplers, ...faultSamplers },
    close: edges.close,
  };
}

const world: StreamWorld = {
  async chain(count, length) {
    const sink = new Sink();
    const flow = createFlow("pipe4");
    flow
      .source("texts", () => records(count, length))
      .to(flow.stage("fits", filter(fits)))
      .to(flow.stage("measured", measured))
      .to(flow.stage("weighed", weighed))
      .to(flow.sink("sink", sink.add));
    await completed(flow);
    return sink;
  },

  async fanOut(count, width) {
    const sink = new Sink();
    const flow = createFlow("fanout");
    const ends = Array.from({ length: width }, (_, index) => flow.sink(`sink${index}`, sink.addText));
    const source = flow.source("texts", () => fanRecords(count));
    for (const end of ends) source.to(end);
    await completed(flow);
    return sink;
  },

  async fanIn(count, width) {
    const sink = new Sink();
    const flow = createFlow("fanin");
    const [first, ...others] = Array.from({ length: width }, (_, index) => flow.source(`texts${index}`, () => fanRecords(count)));
    if (first === undefined) throw new RangeError("there is no source");
    parallel(first, ...others).to(flow.sink("sink", sink.addText));
    await completed(flow);
    return sink;
  },
};

async function completed(flow: ReturnType<typeof createFlow>): Promise<void> {
  const { outcome, error } = await (await flow.run()).ended;
  if (outcome !== "completed") throw new Error(`the graph ended as ${outcome}`, { cause: error });
}
