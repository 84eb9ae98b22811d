import { rmSync } from "node:fs";
import { type Action, type Block, compileGraph, functionAction, GraphRun, programAction } from "@metanode/streaming";
import type { Running } from "../contender.ts";
import { temporaryFolder } from "../processes.ts";
import { prove } from "../stream-load.ts";

const TOTAL_BYTES = 10_000_000_000;
const FIRST_BYTES = 1_000_000_000;
const BLOCK_BYTES = 262_144;
const SAMPLE_MS = 100;

interface Taken {
  readonly rate: number;
  readonly growth: number;
  readonly later: number;
}

/** Ten gigabytes through a graph, once, for all figures. */
export async function ourTenGigabytes(): Promise<Running> {
  let taken: Promise<Taken> | undefined;
  const take = (): Promise<Taken> => {
    taken ??= tenGigabytes();
    return taken;
  };
  return {
    samplers: {
      "tengig.rate": async () => (await take()).rate,
      "tengig.growth": async () => (await take()).growth,
      "tengig.growth.later": async () => (await take()).later,
    },
    close: async () => undefined,
  };
}

async function tenGigabytes(): Promise<Taken> {
  const pattern = linesPattern();
  const blocks = Math.ceil(TOTAL_BYTES / pattern.bytes.length);
  let arrived = 0;
  const { graph } = compileGraph({
    name: "tengig",
    nodes: [
      { name: "lines" },
      { name: "grep", command: "grep a", env: { LC_ALL: "C" } },
      { name: "tr", command: "tr a-z A-Z", env: { LC_ALL: "C" } },
      { name: "cat", command: "cat", env: { LC_ALL: "C" } },
      { name: "wc", command: "wc -l", env: { LC_ALL: "C" } },
      { name: "sum" },
    ],
    expression: "lines; grep; tr; cat; wc; sum",
  });
  const given: Record<string, Action> = {
    lines: source(pattern, blocks),
    sum: functionAction((lines: string) => {
      arrived += Number(lines);
    }),
  };
  const actions = new Map(graph.nodes.map((node) => [node.name, given[node.name] ?? programAction(node)] as const));
  const folder = temporaryFolder("stream-");
  const memory = new Memory(() => arrived > (FIRST_BYTES / pattern.bytes.length) * pattern.count);
  const startMs = performance.now();
  const { outcome, error } = await (await GraphRun.open({ graph, actions, folder })).ended;
  const seconds = (performance.now() - startMs) / 1_000;
  memory.stop();
  rmSync(folder, { recursive: true, force: true });
  if (outcome !== "completed") throw new Error(`the graph ended as ${outcome}`, { cause: error });
  prove({ lines: arrived }, { lines: blocks * pattern.count });
  return { rate: (blocks * pattern.bytes.length) / 1e6 / seconds, ...memory.growth };
}

/** Samples the resident memory of the process. */
class Memory {
  readonly #before = process.memoryUsage.rss();
  readonly #timer: NodeJS.Timeout;
  #first = 0;
  #later = 0;

  constructor(isLater: () => boolean) {
    this.#timer = setInterval(() => {
      const now = process.memoryUsage.rss();
      if (isLater()) this.#later = Math.max(this.#later, now);
      else this.#first = Math.max(this.#first, now);
    }, SAMPLE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** In megabytes. */
  get growth(): Pick<Taken, "growth" | "later"> {
    const most = Math.max(this.#first, this.#later);
    return { growth: (most - this.#before) / 1e6, later: Math.max(0, this.#later - this.#first) / 1e6 };
  }
}

/** Whole lines of 64 to 1,024 bytes. */
function linesPattern(): Block {
  const lines: string[] = [];
  for (let bytes = 0, next = 64; bytes + next <= BLOCK_BYTES; next = 64 + ((lines.length * 389) % 961)) {
    lines.push(`${"abcdefghijklmnopqrstuvwxyz".repeat(40).slice(0, next - 1)}\n`);
    bytes += next;
  }
  return blockOf(Buffer.from(lines.join("")), lines.length);
}

function blockOf(bytes: Buffer, count: number): Block {
  return { codec: "lines", bytes, count, values: () => bytes.toString("utf8").split("\n").slice(0, -1) };
}

/** The same lines again and again, in memory of their own as those of a file are. */
function source({ bytes, count }: Block, blocks: number): Action {
  return {
    source: () => ({
      read: async function* ({ position }) {
        for (let next = Number(position ?? 0); next < blocks; next++) {
          yield { block: blockOf(Buffer.from(bytes), count), position: String(next + 1) };
        }
      },
    }),
  };
}
