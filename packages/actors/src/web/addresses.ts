import type { Socket } from "node:net";

/** One end of a connection. */
export interface SocketAddress {
  /** An IP address; empty if the connection was gone before it could be asked. */
  readonly host: string;
  readonly port: number;
}

/** Both ends of a connection. */
export interface SocketEnds {
  readonly remote: SocketAddress;
  readonly local: SocketAddress;
}

/** Where a socket comes from and where it leads to. */
export function endsOf({ remoteAddress = "", remotePort = 0, localAddress = "", localPort = 0 }: Partial<Socket>): SocketEnds {
  return { remote: { host: remoteAddress, port: remotePort }, local: { host: localAddress, port: localPort } };
}

/** `host:port`, for people. */
export function textOf({ host, port }: SocketAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
