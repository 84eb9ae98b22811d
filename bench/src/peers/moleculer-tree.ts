import { setTimeout as delay } from "node:timers/promises";
import { type Contender, importPeer, Unavailable } from "../contender.ts";
import { type Asked, startAsked, startNats } from "../processes.ts";
import { type NodeWorld, treeSamplers } from "../tree.ts";

const HOSTS = 4;
const OTHERS = 500;
/** Longest wait until every broker knows every other. */
const MEET_MS = 120_000;

async function startHost(url: string): Promise<Asked> {
  return startAsked(new URL("./moleculer-host.ts", import.meta.url), [JSON.stringify(url)]);
}

/** Brokers over one NATS server with the discovery that comes along, each of which knows every other. */
async function openBrokers(count: number): Promise<NodeWorld> {
  const server = await startNats();
  const hosts = await Promise.all(Array.from({ length: HOSTS + 1 }, () => startHost(server.url)));
  const [top, ...others] = hosts as [Asked, ...Asked[]];
  const close = async (): Promise<void> => {
    await Promise.all(hosts.map((host) => host.stop()));
    await server.stop();
  };
  try {
    await top.ask({ verb: "make", names: ["root"] });
    const names = Array.from({ length: count - 1 }, (_, n) => `n${n + 1}`);
    await Promise.all(
      others.map((host, index) => host.ask({ verb: "make", names: names.filter((_, n) => n % HOSTS === index) })),
    );
    await met(top, count);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    nodes: count,
    askAll: async () => Number(await top.ask({ verb: "all", name: "root" })),
    askFar: async () => void (await top.ask({ verb: "ping", name: "root", path: "n1" })),
    close,
  };
}

async function met(top: Asked, count: number): Promise<void> {
  for (const endMs = performance.now() + MEET_MS; performance.now() < endMs; await delay(250)) {
    if (Number(await top.ask({ verb: "known", name: "root" })) >= count) return;
  }
  throw new Unavailable(`${count} brokers did not find each other within ${MEET_MS / 1_000} s`);
}

async function memoryPerNode(): Promise<number> {
  const server = await startNats();
  const [top, other] = (await Promise.all([startHost(server.url), startHost(server.url)])) as [Asked, Asked];
  try {
    const names = Array.from({ length: OTHERS }, (_, n) => `n${n}`);
    await top.ask({ verb: "make", names: ["root"] });
    await other.ask({ verb: "make", names: names.slice(0, 20) });
    await met(top, 21);
    const before = Number(await top.ask({ verb: "memory" }));
    await other.ask({ verb: "make", names: names.slice(20) });
    await met(top, OTHERS + 1);
    return (Number(await top.ask({ verb: "memory" })) - before) / (OTHERS - 20);
  } finally {
    await Promise.all([top.stop(), other.stop()]);
    await server.stop();
  }
}

/** Moleculer's local discovery: every node tells every other that it lives. */
export const moleculerTree: Contender = {
  name: "moleculer",
  open: async () => {
    await importPeer("moleculer");
    await importPeer("nats");
    const { samplers, close } = treeSamplers((count) => openBrokers(count));
    // Every broker hears of every other: a thousand of them are not all up after six minutes on two cores.
    const { "forall.1000": _all, "heartbeat.1000": _heartbeat, ...fitting } = samplers;
    return {
      samplers: { ...fitting, "child.memory": memoryPerNode },
      note: "over one NATS server with local discovery, heartbeat 10 s; for all = a call to each node by id; a thousand brokers do not come up in six minutes on two cores",
      close,
    };
  },
};
