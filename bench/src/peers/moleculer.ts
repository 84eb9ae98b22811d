import { importPeer } from "../contender.ts";
import type { Echo } from "../echo.ts";
import { freePort, startModule, startNats } from "../processes.ts";

/** What is used of Moleculer's broker. */
export interface Broker {
  start(): Promise<void>;
  stop(): Promise<void>;
  call(action: string, params: unknown): Promise<unknown>;
  waitForServices(names: string, timeoutMs: number, intervalMs: number): Promise<unknown>;
  createService(schema: unknown): unknown;
}

/** Moleculer's setting of the same name: a URL, or a type with its options. */
export type Transporter = string | { readonly type: string; readonly options: Readonly<Record<string, unknown>> };

/** A broker with everything off that the others do not do either; without a transporter it is alone. */
export async function createBroker(nodeID: string, transporter: Transporter | null = null): Promise<Broker> {
  const { ServiceBroker } = await importPeer<{ ServiceBroker: new (options: unknown) => Broker }>("moleculer");
  return new ServiceBroker({ nodeID, transporter, logger: false, metrics: false, tracing: false });
}

async function openBroker(transporter: Transporter, stopServer?: () => Promise<void>): Promise<Echo> {
  const worker = await startModule(new URL("./moleculer-worker.ts", import.meta.url), [JSON.stringify(transporter)]);
  const broker = await createBroker("caller", transporter);
  await broker.start();
  await broker.waitForServices("echo", 15_000, 50);
  return {
    call: (payload) => broker.call("echo.echo", payload),
    close: async () => {
      await broker.stop();
      await worker.stop();
      await stopServer?.();
    },
  };
}

/** Two brokers over Moleculer's own TCP transporter. */
export async function openMoleculerTcp(): Promise<Echo> {
  await importPeer("moleculer");
  const urls = [`127.0.0.1:${await freePort()}/caller`, `127.0.0.1:${await freePort()}/worker`];
  return openBroker({ type: "TCP", options: { udpDiscovery: false, useHostname: false, gossipPeriod: 1, urls } });
}

/** Two brokers over a NATS server that is started for them. */
export async function openMoleculerNats(): Promise<Echo> {
  await importPeer("moleculer");
  await importPeer("nats");
  const server = await startNats();
  return openBroker(server.url, () => server.stop());
}
