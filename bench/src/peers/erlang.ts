import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ActorWorld, Took } from "../actors.ts";
import { Unavailable } from "../contender.ts";
import { temporaryFolder, track } from "../processes.ts";

const MODULE = "metanode_bench";
/** More processes than any measure makes. */
const MOST_PROCESSES = 2_000_000;

/** A node of Erlang that does the bench's work in processes of its own, and keeps the time itself. */
interface ErlangNode {
  /** Gives an order and resolves with the numbers of its answer. */
  obey(order: string, ...numbers: number[]): Promise<number[]>;
  readonly release: string;
  close(): Promise<void>;
}

async function openErlangNode(): Promise<ErlangNode> {
  const folder = temporaryFolder("erlang-");
  const source = fileURLToPath(new URL(`./erlang/${MODULE}.erl`, import.meta.url));
  const compiled = spawnSync("erlc", ["-o", folder, source], { encoding: "utf8" });
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  if (compiled.status !== 0) {
    remove();
    if (compiled.error !== undefined) throw new Unavailable("erlc is not on PATH");
    throw new Error(`erlc failed: ${compiled.stdout}${compiled.stderr}`);
  }
  const args = ["-noshell", "+P", String(MOST_PROCESSES), "-pa", folder, "-s", MODULE, "main"];
  const child = spawn("erl", args, { stdio: ["pipe", "pipe", "inherit"] });
  const started = track(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`erl ended with ${child.exitCode ?? child.signalCode} where an answer was expected`);
    return value;
  };
  const close = async (): Promise<void> => {
    child.stdin.end();
    await started.stop();
    remove();
  };
  await once(child, "spawn").catch(async () => {
    remove();
    throw new Unavailable("erl is not on PATH");
  });
  const [ready = "", release = ""] = (await read()).split(" ");
  if (ready !== "ready") throw new Error(`erl said ${ready}, expected ready`);
  return {
    release,
    close,
    async obey(order, ...numbers) {
      child.stdin.write(`${[order, ...numbers].join(" ")}\n`);
      return (await read()).split(" ").map(Number);
    },
  };
}

const took = ([us = Number.NaN]: number[]): Required<Took> => ({ tookMs: us / 1_000 });

/** Erlang/OTP: bare processes, bare messages; a call is a message with a reference and its answer. */
export async function openErlang(): Promise<ActorWorld> {
  const node = await openErlangNode();
  const { obey } = node;
  return {
    send: async (pairs, count) => took(await obey("send", pairs, count)),
    call: async (count) => took(await obey("call", count)),
    spawn: async (count) => ({ ...took(await obey("spawn", count)), end: async () => undefined }),
    async million(count) {
      const [us = Number.NaN, bytes = Number.NaN] = await obey("million", count);
      return { tookMs: us / 1_000, bytesEach: bytes / count };
    },
    async subscribe(count) {
      await obey("subscribe", count);
      return { publish: async () => took(await obey("publish")), end: async () => void (await obey("unsubscribe")) };
    },
    note: `OTP ${node.release} in a virtual machine of its own that uses all processors; calls are bare messages with a reference; publishing is a send to each`,
    close: () => node.close(),
  };
}

/** Erlang/OTP: calls by gen_server, which have a time limit as ours do, and monitor the callee besides. */
export async function openErlangGenServer(): Promise<ActorWorld> {
  const node = await openErlangNode();
  return {
    call: async (count) => took(await node.obey("gen_server_call", count)),
    close: () => node.close(),
  };
}
