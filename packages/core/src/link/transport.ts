import type { Channel } from "./channel.ts";

export type { Channel, ChannelEvents } from "./channel.ts";

/** Where a link can be dialled: `unix:/path` or `host:port` over gRPC, `nats:<name>` over NATS. */
export type LinkAddress = string;

export interface LinkServer {
  /** Where it listens: with the port that was found, if it was asked to find one (port 0). */
  readonly address: LinkAddress;
  /** Connections that were ended because TLS could not begin on them: what came was something else. Absent over plain links. */
  readonly failedHandshakes?: number | undefined;
  /** Ends every channel and stops listening. Idempotent. */
  close(): Promise<void>;
}

/**
 * Makes channels between processes. Whoever implements it runs `transportConformance` of `@metanode/core/testing/transport`.
 *
 * T1. While a channel is open its frames arrive in the order of sending, none lost and none doubled. A channel that can no longer
 *     keep that ends, so what has arrived is always the beginning of what was sent.
 * T2. What was sent before an orderly close arrives before the other side hears of the close.
 * T3. An error that is given to `close` is told to the other side, with its code.
 * T4. The end of either process, or of the network between them, is told by `onClosed` within a bounded time, on each side that is
 *     left. `onClosed` is told once, and never together with silence: a call over the channel never waits for ever.
 * T5. `dial` never throws: what is wrong, a bad address too, is told by `onClosed`. Where nobody listens that is `node.unreachable`.
 * T6. A reader that is slow, or that stands still, costs its writer the memory of what its sessions gave to `send`, which their credits
 *     bound, and nothing else; what lies between the two is bounded by the transport.
 * T7. An address is listened on once at a time; a second `listen` is `node.port_in_use`. It is free again after the close.
 */
export interface LinkTransport {
  /**
   * Calls `onChannel` for each link that is dialled, and resolves when it can be.
   * @throws {MetanodeError} node.port_in_use – the address is taken; config.invalid – it is none
   */
  listen(address: LinkAddress, onChannel: (channel: Channel) => void): Promise<LinkServer>;
  /** A channel that can be sent to at once, also while the link is still being made (T5). */
  dial(address: LinkAddress): Channel;
}
