import { coreError } from "../errors.ts";
import { type Channel, createMemoryChannel } from "../link/channel.ts";
import type { LinkAddress, LinkServer, LinkTransport } from "../link/transport.ts";

class MemoryTransport implements LinkTransport {
  readonly #listening = new Map<LinkAddress, (channel: Channel) => void>();

  async listen(address: LinkAddress, onChannel: (channel: Channel) => void): Promise<LinkServer> {
    if (this.#listening.has(address)) throw coreError("node.port_in_use", `somebody listens on ${address} already`);
    const channels = new Set<Channel>();
    const own = (channel: Channel): void => {
      const kept = remembering(channel, channels);
      onChannel(kept);
    };
    this.#listening.set(address, own);
    return {
      address,
      close: async () => {
        if (this.#listening.get(address) === own) this.#listening.delete(address);
        for (const channel of channels) channel.close();
      },
    };
  }

  dial(address: LinkAddress): Channel {
    const [dialling, listening] = createMemoryChannel();
    const onChannel = this.#listening.get(address);
    setImmediate(() => {
      if (onChannel !== undefined && this.#listening.get(address) === onChannel) onChannel(listening);
      else dialling.close(coreError("node.unreachable", `nobody listens on ${address}`));
    });
    return dialling;
  }
}

/** A channel that stands in `open` until it has ended. */
function remembering(channel: Channel, open: Set<Channel>): Channel {
  const kept: Channel = {
    listen: (events) =>
      channel.listen({
        onFrames: (frames) => events.onFrames(frames),
        onClosed: (error) => {
          open.delete(kept);
          events.onClosed(error);
        },
      }),
    send: (frames) => channel.send(frames),
    close: (error) => channel.close(error),
  };
  open.add(kept);
  return kept;
}

/** Links within this process, to names of any form. Each transport has a table of names of its own. */
export function memoryTransport(): LinkTransport {
  return new MemoryTransport();
}
