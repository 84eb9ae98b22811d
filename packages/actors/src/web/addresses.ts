import type { Socket } from "node:net";
import type { TcpAddress } from "../tcp/messages.ts";

/** Both ends of a connection. */
export interface SocketEnds {
  readonly remote: TcpAddress;
  readonly local: TcpAddress;
}

/** Where a socket comes from and where it leads to. */
export function endsOf({ remoteAddress = "", remotePort = 0, localAddress = "", localPort = 0 }: Partial<Socket>): SocketEnds {
  return { remote: { host: remoteAddress, port: remotePort }, local: { host: localAddress, port: localPort } };
}
