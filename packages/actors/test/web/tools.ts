import { connect, type Socket } from "node:net";
import type { Alias } from "../../src/index.ts";
import { openWebServer, type WebMount, type WebServer } from "../../src/web/index.ts";
import { inside, Probe, type Stage, stage } from "../probe.ts";

export interface WebStage extends Stage {
  readonly parent: Probe;
  readonly server: WebServer;
  readonly alias: Alias<never, never>;
  readonly url: string;
}

/** A kernel on a virtual clock with a process that owns a web server; `mount` builds, and mostly spawns, what the server serves. */
export async function webStage(mount: (parent: Probe) => WebMount): Promise<WebStage & AsyncDisposable> {
  const base = stage();
  const parent = inside(base.kernel.spawn(Probe));
  const server = await openWebServer({ port: 0, handler: mount(parent) });
  const alias = parent.spawnMeta(server);
  return {
    ...base,
    parent,
    server,
    alias,
    url: `http://${server.address}`,
    [Symbol.asyncDispose]: () => base.kernel.stop(),
  };
}

/** A bare connection, with what was read from it. */
export interface Raw {
  readonly socket: Socket;
  text(): string;
  /** Resolves when the other side has closed it. */
  readonly closed: Promise<void>;
}

/** Connects and writes `bytes`. */
export async function raw(port: number, bytes = ""): Promise<Raw> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.on("data", (data) => {
    text += data.toString("latin1");
  });
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  await new Promise((resolve) => socket.once("connect", resolve));
  if (bytes !== "") socket.write(bytes);
  return { socket, text: () => text, closed };
}
