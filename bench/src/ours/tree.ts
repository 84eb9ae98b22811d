import type { Contender } from "../contender.ts";
import { type Asked, startAsked } from "../processes.ts";
import { type NodeWorld, treeSamplers } from "../tree.ts";

const HOSTS = 4;
const CHILDREN = 500;

async function startHost(): Promise<Asked> {
  return startAsked(new URL("./tree-host.ts", import.meta.url), []);
}

/** A balanced tree: the root alone in its process, the others in turn on the other hosts. */
async function openTree(count: number, fanOut: number): Promise<NodeWorld> {
  const [top, ...hosts] = (await Promise.all(Array.from({ length: HOSTS + 1 }, startHost))) as [Asked, ...Asked[]];
  await top.ask({ verb: "make", names: ["root"] });
  const hostOf = (n: number): Asked => (n === 0 ? top : (hosts[n % HOSTS] as Asked));
  const nameOf = (n: number): string => (n === 0 ? "root" : `n${n}`);
  const tokens = new Map<number, string>();
  for (const [index, host] of hosts.entries()) {
    const own = Array.from({ length: count - 1 }, (_, n) => n + 1).filter((n) => n % HOSTS === index);
    const made = (await host.ask({ verb: "make", names: own.map(nameOf) })) as string[];
    for (const [at, n] of own.entries()) tokens.set(n, made[at] ?? "");
  }
  let last = 0;
  let path = "/root";
  for (let parent = 0; parent * fanOut + 1 < count; parent++) {
    const children = Array.from({ length: fanOut }, (_, n) => parent * fanOut + 1 + n).filter((n) => n < count);
    await hostOf(parent).ask({ verb: "adopt", name: nameOf(parent), tokens: children.map((n) => tokens.get(n)) });
  }
  for (let level = 0; level < 4 && last * fanOut + 1 < count; level++) {
    last = last * fanOut + 1;
    path += `/${nameOf(last)}`;
  }
  return {
    nodes: count,
    askAll: async () => Number(await top.ask({ verb: "all", name: "root" })),
    askFar: async () => void (await top.ask({ verb: "ping", name: "root", path })),
    close: async () => {
      await Promise.all([top, ...hosts].map((host) => host.stop()));
    },
  };
}

/** Memory of a root with many direct children, and of the same root with none. */
async function memoryPerChild(): Promise<number> {
  const [top, other] = (await Promise.all([startHost(), startHost()])) as [Asked, Asked];
  try {
    await top.ask({ verb: "make", names: ["root"] });
    const names = Array.from({ length: CHILDREN }, (_, n) => `c${n}`);
    const tokens = (await other.ask({ verb: "make", names })) as string[];
    await top.ask({ verb: "adopt", name: "root", tokens: tokens.slice(0, 20) });
    const before = Number(await top.ask({ verb: "memory" }));
    await top.ask({ verb: "adopt", name: "root", tokens: tokens.slice(20) });
    return (Number(await top.ask({ verb: "memory" })) - before) / (CHILDREN - 20);
  } finally {
    await Promise.all([top.stop(), other.stop()]);
  }
}

/** Nodes that manage nodes, over gRPC on loopback. */
export const ourTree: Contender = {
  name: "ours",
  open: async () => {
    const { samplers, close } = treeSamplers(openTree);
    return {
      samplers: { ...samplers, "child.memory": memoryPerChild },
      note: "the question and the answer of a far call cross the channel between two processes of the bench as well",
      close,
    };
  },
};
