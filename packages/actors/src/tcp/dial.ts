import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { actorError } from "../errors.ts";
import { TcpConnection } from "./connection.ts";
import { textOf } from "./messages.ts";
import { resolveTcpConnectionOptions, socketOptions, type TcpConnectionOptions } from "./options.ts";

type Resolved = ReturnType<typeof resolveTcpConnectionOptions>;

/**
 * Dials, and with TLS agrees on keys. Spawn what it gives with `spawnMeta`; nothing is read until then. Nothing but `signal` ends
 * the dialling early: `AbortSignal.timeout(5_000)` is one.
 * @throws actor.incorrect – an option; actor.connect_failed – nobody there, not trusted, or given up
 */
export async function openTcpConnection(options: TcpConnectionOptions): Promise<TcpConnection> {
  const resolved = resolveTcpConnectionOptions(options);
  const socket = await dial(resolved);
  return new TcpConnection(socket, resolved.connection, resolved.process);
}

function dial({ host, port, tls, signal, connection }: Resolved): Promise<Socket> {
  const options = { ...socketOptions(connection), host, port };
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(failed(host, port, signal.reason));
      return;
    }
    const socket =
      tls === undefined
        ? connect(options)
        : connectTls({
            ...options,
            secureContext: tls.certificates.context,
            rejectUnauthorized: !tls.insecureSkipVerify,
            ...nameOf(tls.serverName ?? host),
          });
    const onAbort = (): void => void socket.destroy(signal?.reason);
    const onError = (cause: unknown): void => {
      signal?.removeEventListener("abort", onAbort);
      reject(failed(host, port, cause));
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    socket.once("error", onError);
    socket.once(tls === undefined ? "connect" : "secureConnect", () => {
      signal?.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      resolve(socket);
    });
  });
}

/** An IP address is no name that a server can be told to be asked for. */
function nameOf(name: string): { servername?: string } {
  return isIP(name) ? {} : { servername: name };
}

function failed(host: string, port: number, cause: unknown): Error {
  const text = cause instanceof Error ? cause.message || (cause as { code?: string }).code : String(cause);
  return actorError("actor.connect_failed", `cannot connect to ${textOf({ host, port })}: ${text}`, { cause });
}
