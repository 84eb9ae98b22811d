import type { ApplicationMode, StartApplicationOptions } from "../application/index.ts";
import { actorError } from "../errors.ts";
import { type PID, ProcessName, type Ref } from "../identity/index.ts";
import { undeliverable } from "../runtime/deliver.ts";
import type { Tables } from "../runtime/tables.ts";
import type { AccessTable } from "./access.ts";
import { ask } from "./ask.ts";
import { FRAME } from "./frames.ts";
import type { NetworkSettings } from "./options.ts";
import type { Peer } from "./peer.ts";
import type { StartFrame } from "./spawns.ts";

/** An application starts what it depends on, each with callbacks and members that have their own time. */
const DEFAULT_START_MS = 60_000;

/** How to start an application on another node. */
export interface RemoteStartOptions {
  /** @default that of its specification */
  mode?: ApplicationMode;
  /** Longest wait, in milliseconds; the start goes on after that. @default 60_000 */
  timeoutMs?: number;
}

/** What the starts of applications need of the network. */
export interface Starting {
  readonly tables: Tables;
  readonly settings: NetworkSettings;
  readonly startable: AccessTable<string>;
  readonly startApplication: (name: string, options: StartApplicationOptions) => Promise<void>;
  answer(to: PID, ref: Ref, answer: { value: unknown } | { error: Error }): void;
}

/** Asks another node to start an application. Rejects with actor.not_allowed, actor.timeout, and what the other node says. */
export function askStart(network: Starting, peer: Peer, name: string, options: RemoteStartOptions): Promise<void> {
  const { tables, settings } = network;
  if (peer.hello?.flags.applicationStart === false) {
    throw actorError("actor.not_allowed", `node ${peer.node} starts applications for nobody`);
  }
  const env = settings.exposeEnv.applicationStart ? Object.fromEntries(tables.heritage.env ?? []) : {};
  return new Promise((resolve, reject) => {
    const to = new ProcessName(name, peer.node);
    const problem = ask(tables, {
      to,
      waiter: tables.outside,
      timeoutMs: options.timeoutMs ?? DEFAULT_START_MS,
      settler: { resolve: () => resolve(), reject },
      write: (ref) =>
        peer.sender.start(FRAME.application, ref, { from: tables.core, name, watch: 0, options: { mode: options.mode, env } }),
    });
    if (problem !== undefined) reject(undeliverable(problem, to));
  });
}

/** Starts an application for the node of `peer`, and answers it. */
export async function startFor(network: Starting, peer: Peer, { from, ref, name, options }: StartFrame): Promise<void> {
  const { tables, settings, startable } = network;
  try {
    if (!settings.flags.applicationStart) {
      throw actorError("actor.not_allowed", `node ${tables.node} starts applications for nobody`);
    }
    const { mode, env } = options as StartApplicationOptions;
    const start = { ...(mode === undefined ? {} : { mode }), env: env ?? {}, requestedBy: peer.node };
    await network.startApplication(startable.get(name, peer.node), start);
    network.answer(from, ref, { value: undefined });
  } catch (error) {
    network.answer(from, ref, { error: error as Error });
  }
}
