import type { Contender } from "../contender.ts";
import { type Asked, startAsked } from "../processes.ts";
import { ITEM_BYTES, LEVELS, type StreamedThrough, type StreamOrder } from "../tree-stream.ts";

const TOTAL_BYTES = 10_000_000_000;
const PATH = `/${LEVELS.join("/")}`;

/** A process of the stream. */
export type StreamHost = (order: StreamOrder) => Promise<unknown>;

/** A root, its child and the child of that, each in a process of its own, while `work` goes on. */
export async function withThreeLevels<T>(work: (hosts: readonly [StreamHost, StreamHost, StreamHost]) => Promise<T>): Promise<T> {
  const started = await Promise.all(LEVELS.map(() => startAsked(new URL("./tree-stream-host.ts", import.meta.url), [])));
  const [root, middle, leaf] = started.map(
    ({ ask }): StreamHost =>
      (order) =>
        ask(order),
  ) as [StreamHost, StreamHost, StreamHost];
  try {
    const make = (name: string, host: StreamHost): Promise<unknown> => host({ verb: "make", name });
    await make("root", root);
    await root({ verb: "adopt", token: String(await make("middle", middle)) });
    await middle({ verb: "adopt", token: String(await make("leaf", leaf)) });
    return await work([root, middle, leaf]);
  } finally {
    await Promise.all(started.map(({ stop }: Asked) => stop()));
  }
}

/** Opens the leaf's stream of so many items at the root. */
export async function openStream(root: StreamHost, items: number): Promise<void> {
  await root({ verb: "open", path: PATH, items });
}

/** Streams bytes from the leaf to the root. */
export async function streamThroughTree(bytes: number): Promise<StreamedThrough> {
  return withThreeLevels(async (hosts) => {
    const [root] = hosts;
    // The way is warm before anything is weighed: what code takes once is not the stream's growth.
    await openStream(root, 1);
    await root({ verb: "read" });
    await Promise.all(hosts.map((host) => host({ verb: "watch" })));
    await openStream(root, Math.ceil(bytes / ITEM_BYTES));
    const startMs = performance.now();
    const items = Number(await root({ verb: "read" }));
    const seconds = (performance.now() - startMs) / 1_000;
    const grown = await Promise.all(hosts.map(async (host) => Number(await host({ verb: "grown" }))));
    const [atRoot = Number.NaN, atMiddle = Number.NaN, atLeaf = Number.NaN] = grown;
    return { bytes: items * ITEM_BYTES, items, seconds, growth: { root: atRoot, middle: atMiddle, leaf: atLeaf } };
  });
}

/** Ten gigabytes through three levels, once, for all figures. */
export const ourTreeStream: Contender = {
  name: "ours",
  open: async () => {
    let taken: Promise<StreamedThrough> | undefined;
    const take = (): Promise<StreamedThrough> => {
      taken ??= streamThroughTree(TOTAL_BYTES);
      return taken;
    };
    const rate = async (): Promise<number> => {
      const { bytes, seconds } = await take();
      if (bytes < TOTAL_BYTES) throw new Error(`${bytes} of ${TOTAL_BYTES} bytes came`);
      return bytes / 1e6 / seconds;
    };
    const growths = LEVELS.map((level) => [`treestream.growth.${level}`, async () => (await take()).growth[level]] as const);
    return { samplers: { "treestream.rate": rate, ...Object.fromEntries(growths) }, close: async () => undefined };
  },
};
