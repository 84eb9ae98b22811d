/**
 * The process in which a system of streams and the load on it run: `node stream-worker.ts <system> <folder>`. Asked for the measure
 * without a name it says which it can take.
 */
import { answerQuestions } from "./processes.ts";
import type { StreamQuestion, StreamSystem } from "./stream-load.ts";

const openers: Readonly<Record<string, () => Promise<StreamSystem>>> = {
  ours: async () => (await import("./ours/streams.ts")).ourStreams,
  "ours-10gb": async () => (await import("./ours/ten-gigabytes.ts")).ourTenGigabytes,
  "node-stream": async () => (await import("./peers/node-stream.ts")).nodeStream,
  rxjs: async () => (await import("./peers/rxjs.ts")).rxjs,
};

const [system = "", folder = ""] = process.argv.slice(2);
const opener = openers[system];
if (opener === undefined) throw new Error(`there is no system ${system}`);
const { samplers, close } = await (await opener())(folder);

answerQuestions(async (question) => {
  const { measure, durationMs } = question as StreamQuestion;
  return measure === "" ? Object.keys(samplers) : samplers[measure]?.(durationMs);
}, close);
