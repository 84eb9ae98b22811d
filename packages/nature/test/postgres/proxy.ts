import { connect, createServer, type Socket } from "node:net";

/** A wire between a store and its server, that can be cut. */
export interface Wire extends AsyncDisposable {
  /** The server's address through this wire. */
  readonly url: string;
  /** Cuts the connection instead of handing on the next answer that contains `text`: the server has done what it was asked, and nobody hears of it. */
  swallow(text: string): void;
  /** Cuts every connection, and lets none through until `mend`. */
  cut(): void;
  mend(): void;
  /** Connections that were ended by `swallow`. */
  readonly swallowed: number;
}

export async function openProxy(serverUrl: string): Promise<Wire> {
  const target = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let wanted: string | undefined;
  let isCut = false;
  let swallowed = 0;
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    const end = (): void => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    if (isCut) return end();
    near.on("data", (chunk) => void far.write(chunk));
    far.on("data", (chunk) => {
      if (wanted === undefined || !chunk.includes(wanted)) return void near.write(chunk);
      wanted = undefined;
      swallowed++;
      end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(serverUrl);
  url.port = String((server.address() as { port: number }).port);
  const cutAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: url.href,
    swallow(text) {
      wanted = text;
    },
    cut() {
      isCut = true;
      cutAll();
    },
    mend() {
      isCut = false;
    },
    get swallowed() {
      return swallowed;
    },
    async [Symbol.asyncDispose]() {
      cutAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
