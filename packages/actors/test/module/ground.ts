import { createNode, handlerMember, type Message, type MetaNode, type NodeOptions } from "@metanode/core";
import { VirtualClock } from "@metanode/core/testing/clock";
import { pino } from "pino";
import { afterEach, expect } from "vitest";
import { type ActorsModule, type ActorsOptions, actors } from "../../src/module/index.ts";
import { Asker, Tally, tallies } from "./actors.ts";

const TYPES = {
  "tally.get": "tally",
  "tally.refuse": "tally",
  "tally.crash": "tally",
  "tally.leave": "tally",
  "tally.never": "tally",
  "tally.wait": "tally",
  "tally.add": { actor: "tally", mode: "send" },
  "ask.*": "asker",
  "nobody.*": "nobody",
} as const;

export interface Ground {
  readonly node: MetaNode;
  readonly hosted: ActorsModule;
  readonly clock: VirtualClock;
  /** Every message that `echo.message` got. */
  readonly echoed: Message[];
  /** The lines of the node's log. */
  readonly lines: { level: number; msg: string; [key: string]: unknown }[];
}

const open: MetaNode[] = [];
afterEach(async () => {
  tallies.length = 0;
  for (const node of open.splice(0)) await node.close();
});

/** A node in memory, on a virtual clock, with a tally and an asker. */
export async function ground(options: object = {}, nodeOptions: NodeOptions = {}): Promise<Ground> {
  const clock = new VirtualClock();
  const lines: Ground["lines"] = [];
  const logger = pino({ level: "debug" }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const given = { roots: { tally: { actor: Tally }, asker: { actor: Asker } }, handles: TYPES, host: "here", ...options };
  const hosted = actors(given as ActorsOptions);
  const node = await createNode({ name: "test", modules: [hosted], clock, logger, ...nodeOptions });
  open.push(node);
  const echoed: Message[] = [];
  const echo = handlerMember("echo", (message) => {
    echoed.push(message);
    if (message.data === "fail") throw new Error("no echo");
    return message.data;
  });
  node.router.register({ type: "echo.message", member: echo });
  return { node, hosted, clock, echoed, lines };
}

/** The error that a promise rejects with. */
export function errorOf(promise: Promise<unknown>): Promise<Record<string, unknown>> {
  return promise.then(
    (value) => expect.fail(`expected an error, got ${JSON.stringify(value)}`),
    (error) => error,
  );
}
