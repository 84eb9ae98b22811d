import { fork } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { NatsTransportOptions } from "../../src/link/nats.ts";
import { natsTransport } from "../../src/link/nats.ts";
import type { LinkTransport } from "../../src/link/transport.ts";
import { memoryTransport } from "../../src/testing/memory-transport.ts";
import type { TransportHarness, TransportPeer } from "../../src/testing/transport-conformance.ts";
import { grpcTransport } from "../../src/tree/transports.ts";
import { temporaryFolder } from "../fixtures/host.ts";
import { startNats } from "./nats-server.ts";

/** What a peer process listens with, and where. */
export interface PeerSpec {
  readonly echo: string;
  readonly session: string;
  /** Absent for gRPC. */
  readonly nats?: NatsTransportOptions;
}

const PROGRAM = fileURLToPath(new URL("./transport-peer.ts", import.meta.url));

/** Starts `transport-peer.ts`; `ends` gets what ends it. */
export async function startPeer(spec: PeerSpec, ends: (() => Promise<void>)[]): Promise<TransportPeer> {
  const child = fork(PROGRAM, [JSON.stringify(spec)], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  ends.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  });
  const [{ echo, session }] = (await once(child, "message")) as [{ echo: string; session: string }];
  return {
    echo,
    session,
    signal: (signal) => void child.kill(signal),
    async openChannels() {
      child.send("open");
      const [{ open }] = (await once(child, "message")) as [{ open: number }];
      return open;
    },
  };
}

async function inReverse(ends: readonly (() => Promise<void>)[]): Promise<void> {
  for (const end of ends.toReversed()) await end();
}

/** Closes what was listened to when the test is over. */
function watched(inner: LinkTransport, ends: (() => Promise<void>)[]): LinkTransport {
  return {
    async listen(address, onChannel) {
      const server = await inner.listen(address, onChannel);
      ends.push(() => server.close());
      return server;
    },
    dial: (address) => inner.dial(address),
  };
}

export async function memoryHarness(): Promise<TransportHarness> {
  const ends: (() => Promise<void>)[] = [];
  const transport = watched(memoryTransport(), ends);
  let names = 0;
  return {
    dialling: transport,
    listening: transport,
    freeAddress: () => `memory-${names++}`,
    noticeMs: 0,
    noticesSilence: false,
    dispose: () => inReverse(ends),
  };
}

export async function grpcUnixHarness(): Promise<TransportHarness> {
  const folder = await temporaryFolder();
  const ends: (() => Promise<void>)[] = [async () => folder[Symbol.asyncDispose]()];
  const transport = watched(grpcTransport, ends);
  let names = 0;
  const freeAddress = (): string => `unix:${join(folder.path, `s${names++}`)}`;
  return {
    dialling: transport,
    listening: transport,
    freeAddress,
    noticeMs: 1_000,
    noticesSilence: false,
    startPeer: () => startPeer({ echo: freeAddress(), session: freeAddress() }, ends),
    dispose: () => inReverse(ends),
  };
}

/** Over 127.0.0.1, by way of a relay that can be cut. */
export async function grpcTcpHarness(): Promise<TransportHarness> {
  const ends: (() => Promise<void>)[] = [];
  const transport = watched(grpcTransport, ends);
  const sockets = new Set<Socket>();
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const listening: LinkTransport = {
    async listen(address, onChannel) {
      const server = await transport.listen(address, onChannel);
      const relay = await openRelay(Number(server.address.split(":").at(-1)), sockets);
      const close = async (): Promise<void> => {
        await server.close();
        relay.close();
      };
      return address.endsWith(":0") ? { address: relay.address, close } : server;
    },
    dial: (address) => transport.dial(address),
  };
  return {
    dialling: transport,
    listening,
    freeAddress: () => "127.0.0.1:0",
    noticeMs: 1_000,
    noticesSilence: false,
    startPeer: () => startPeer({ echo: "127.0.0.1:0", session: "127.0.0.1:0" }, ends),
    cutNetwork: async () => cut(),
    async dispose() {
      cut();
      await inReverse(ends);
    },
  };
}

interface Relay {
  readonly address: string;
  close(): void;
}

/** Listens on a port of its own and passes everything on to `port`. */
export async function openRelay(port: number, sockets: Set<Socket>): Promise<Relay> {
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => void server.close() };
}

/** Short enough to wait for in tests, long enough for a process that starts beside them. */
export const NATS_TIMES = { heartbeatMs: 200, silenceMs: 2_000 } as const;

/** Both sides with connections of their own to one server. */
export async function natsHarness(settings = "", options: Partial<NatsTransportOptions> = {}): Promise<TransportHarness> {
  const server = await startNats(settings);
  const ends: (() => Promise<void>)[] = [async () => server[Symbol.asyncDispose]()];
  const nats = { servers: server.url, ...NATS_TIMES, ...options };
  let names = 0;
  const freeAddress = (): string => `nats:node-${names++}`;
  return {
    dialling: watched(natsTransport(nats), ends),
    listening: watched(natsTransport(nats), ends),
    freeAddress,
    noticeMs: NATS_TIMES.silenceMs + NATS_TIMES.heartbeatMs,
    noticesSilence: true,
    startPeer: () => startPeer({ echo: freeAddress(), session: freeAddress(), nats }, ends),
    cutNetwork: () => server.kill(),
    dispose: () => inReverse(ends),
  };
}
