import type { Alias } from "../identity/index.ts";

/** One end of a connection. */
export interface TcpAddress {
  /** An IP address; empty if the connection was gone before it could be asked. */
  readonly host: string;
  readonly port: number;
}

/** The address of a connection, as its handler gets it. */
export type TcpAlias = Alias<TcpCommand, never>;
/** What the handler of a connection is sent, in this order: one `MessageTcpConnect`, the data, one `MessageTcpDisconnect`. */
export type TcpEvent = MessageTcpConnect | MessageTcp | MessageTcpDisconnect;
/** What a connection can be sent: data to write, or that it shall close when everything before has been written. */
export type TcpCommand = MessageTcp | MessageTcpDisconnect;

/** To the handler: a connection stands. The first message about it. */
export class MessageTcpConnect {
  /** The connection: where data for the peer is sent to. */
  readonly id: TcpAlias;
  readonly remote: TcpAddress;
  readonly local: TcpAddress;

  constructor(id: TcpAlias, remote: TcpAddress, local: TcpAddress) {
    this.id = id;
    this.remote = remote;
    this.local = local;
  }
}

/** To the handler: one read, or one chunk, of what the peer sent. To the connection: bytes to write. */
export class MessageTcp {
  /** The connection. Means nothing when it is sent to one. */
  readonly id: TcpAlias;
  /** Not copied, neither way: not to be changed after it was sent on. */
  readonly data: Uint8Array;

  constructor(id: TcpAlias, data: Uint8Array) {
    this.id = id;
    this.data = data;
  }
}

/** To the handler: the connection has closed. Its last message. To the connection: close after what was sent before. */
export class MessageTcpDisconnect {
  readonly id: TcpAlias;

  constructor(id: TcpAlias) {
    this.id = id;
  }
}

/** `host:port`, for people. */
export function textOf({ host, port }: TcpAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
