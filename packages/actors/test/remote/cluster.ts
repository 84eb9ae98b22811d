import { settle, VirtualClock } from "@metanode/core/testing";
import {
  createKernel,
  createMemoryLinks,
  type Kernel,
  type KernelReport,
  type Link,
  type NetworkOptions,
} from "../../src/index.ts";

/** One node of a cluster. */
export interface Node {
  readonly kernel: Kernel;
  readonly clock: VirtualClock;
  readonly reports: KernelReport[];
}

/** A kernel on a virtual clock. No two are made at the same moment, so their creations differ. */
export function node(name: string, network: NetworkOptions = {}, startMs = nextStart(), env: object = {}): Node {
  const clock = new VirtualClock(startMs);
  const reports: KernelReport[] = [];
  const onReport = (report: KernelReport): void => void reports.push(report);
  const kernel = createKernel({ name: `${name}@here`, clock, network, env: { ...env }, onReport });
  return { clock, reports, kernel };
}

let starts = 0;
function nextStart(): number {
  return Date.UTC(2026, 0, 1) + 7_000 * starts++;
}

/** Connects two nodes by a memory link. */
export async function join(a: Node, b: Node): Promise<void> {
  const [left, right] = createMemoryLinks();
  await Promise.all([a.kernel.connect(left), b.kernel.connect(right)]);
}

/** Two nodes that are connected. */
export async function pair(network: NetworkOptions = {}): Promise<[Node, Node]> {
  const nodes: [Node, Node] = [node("a", network), node("b", network)];
  await join(...nodes);
  return nodes;
}

/** Lets everything happen that needs no time: mail crosses links in several turns. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await settle();
}

/** What a kernel without a cookie says of itself. */
export function hello(name: string, more: object = {}): object {
  const flags = { spawn: true, applicationStart: true, importantDelivery: true };
  const versions = { min: 1, max: 1 };
  const said = { magic: "metanode-actors", versions, node: name, creation: 5, flags, maxMessageBytes: 1_000_000 };
  return { ...said, nonce: "n", hasCookie: false, ...more };
}

/**
 * Plays a kernel that greets and says nothing more; gives the batches that it hears from then on. Its name must be greater
 * than that of the other side, which then decides.
 */
export async function greetOnly(link: Link, name: string): Promise<Uint8Array[]> {
  const heard: Uint8Array[] = [];
  const say = (word: object): boolean => link.send(Buffer.from(JSON.stringify(word)));
  let words = 0;
  await new Promise<void>((resolve) => {
    link.listen({
      onBatch: (batch) => {
        words++;
        if (words === 1) say({ proof: "" });
        if (words === 2) say({ ready: true });
        if (words === 3) resolve();
        if (words > 3) heard.push(batch);
      },
      onDrain: () => undefined,
      onClosed: () => undefined,
    });
    say(hello(name));
  });
  return heard;
}
