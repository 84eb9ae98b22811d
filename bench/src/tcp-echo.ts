import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Contender, Measure, Running, Sampler } from "./contender.ts";
import { freePort, startModule } from "./processes.ts";

/** What the clients of a measure do. */
interface Load {
  readonly connections: number;
  readonly messageBytes: number;
  /** Messages under way on each connection at any time. */
  readonly inFlight: number;
}

const loads: Readonly<Record<string, Load>> = {
  "tcp.echo": { connections: 64, messageBytes: 64, inFlight: 16 },
  "tcp.echo.1kib": { connections: 64, messageBytes: 1_024, inFlight: 16 },
  "tcp.echo.one": { connections: 1, messageBytes: 64, inFlight: 256 },
};

/** The measures of an echo over TCP, whose server is a process of its own. */
export const tcpEchoMeasures: readonly Measure[] = Object.entries(loads).map(([name, load]) => ({
  name,
  unit: "msg/s",
  better: "higher",
  note: `${load.connections} connections, ${load.messageBytes} B, ${load.inFlight} under way on each, sent as one write; the clients share the machine`,
}));

/** A contender whose server is a module that listens at the port in its first argument. */
export function tcpEchoContender(name: string, module: URL): Contender {
  return {
    name,
    async open(): Promise<Running> {
      const port = await freePort();
      const server = await startModule(module, [String(port)]);
      const samplers = Object.entries(loads).map(([measure, load]): [string, Sampler] => [
        measure,
        (durationMs) => sample(port, load, durationMs),
      ]);
      return { samplers: Object.fromEntries(samplers), close: () => server.stop() };
    },
  };
}

/** One contender that takes part wherever one of `parts` does. */
export function joined(name: string, parts: readonly Contender[]): Contender {
  return {
    name,
    async open(): Promise<Running> {
      const running: Running[] = [];
      const close = async (): Promise<void> => {
        for (const part of running) await part.close();
      };
      try {
        for (const part of parts) running.push(await part.open());
      } catch (error) {
        await close();
        throw error;
      }
      return {
        samplers: Object.assign({}, ...running.map(({ samplers }) => samplers)),
        close,
      };
    },
  };
}

/** Messages per second that came back as they were sent. */
async function sample(port: number, load: Load, durationMs: number): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: load.connections }, () => dial(port)));
  const sent = randomBytes(load.messageBytes * load.inFlight);
  const startMs = performance.now();
  const rounds = await Promise.all(sockets.map((socket) => pingPong(socket, sent, startMs + durationMs)));
  const seconds = (performance.now() - startMs) / 1_000;
  for (const socket of sockets) socket.destroy();
  return (rounds.reduce((sum, count) => sum + count, 0) * load.inFlight) / seconds;
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  return socket;
}

/** Sends the same bytes again whenever they have all come back, and says how often they did. */
function pingPong(socket: Socket, sent: Buffer, endMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let back = 0;
    let rounds = 0;
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the server closed a connection")));
    socket.on("data", (data) => {
      if (sent.compare(data as Buffer, 0, data.length, back, back + data.length) !== 0) {
        reject(new Error("an echo differs from what was sent"));
        return;
      }
      back += data.length;
      if (back < sent.length) return;
      back = 0;
      rounds++;
      if (performance.now() < endMs) socket.write(sent);
      else resolve(rounds);
    });
    socket.write(sent);
  });
}
