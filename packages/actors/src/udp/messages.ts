import type { Alias } from "../identity/index.ts";

/** Where a datagram comes from or goes to. */
export interface UdpAddress {
  /** An IP address; where datagrams are sent to it can be a name too. */
  readonly host: string;
  readonly port: number;
}

/** To the handler: a datagram that came in. To the socket: one to send. */
export class MessageUdp {
  /** The socket. Means nothing when it is sent to one. */
  readonly id: Alias<MessageUdp, never>;
  /** Who sent it, or whom it is for. */
  readonly address: UdpAddress;
  /** Not copied: not to be changed after it was sent on. */
  readonly data: Uint8Array;

  constructor(id: Alias<MessageUdp, never>, address: UdpAddress, data: Uint8Array) {
    this.id = id;
    this.address = address;
    this.data = data;
  }
}

/** `host:port`, for people. */
export function textOf({ host, port }: UdpAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
