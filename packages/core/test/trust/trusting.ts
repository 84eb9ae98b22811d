import { type Clock, systemClock } from "../../src/clock.ts";
import type { MetanodeError } from "../../src/errors.ts";
import type { Channel } from "../../src/link/channel.ts";
import { dialLink, openLinkServer, type ServerTls } from "../../src/link/grpc.ts";
import type { ClientTls } from "../../src/link/tls.ts";
import type { LinkServer } from "../../src/link/transport.ts";
import { Authority, type AuthorityKeep, type AuthorityRecord } from "../../src/trust/authority.ts";
import { type Credential, makeKeys } from "../../src/trust/issue.ts";

export const DAY_MS = 24 * 3_600_000;

/** Keeps what an authority is, as a folder does; `failure` makes the next writes fail. */
export class MemoryKeep implements AuthorityKeep {
  record: AuthorityRecord | undefined;
  failure: Error | undefined;
  readonly failures: Error[] = [];

  put(record: AuthorityRecord): void {
    if (this.failure !== undefined) throw this.failure;
    this.record = record;
  }

  onFailure(error: Error): void {
    this.failures.push(error);
  }
}

export function authorityOf(name: string, clock: Clock = systemClock, keep = new MemoryKeep()): Promise<Authority> {
  return Authority.open(name, clock, keep);
}

/** A certificate of the authority, and its key. */
export async function credentialOf(authority: Authority, id: string): Promise<Credential> {
  const { privateKey, publicKey } = await makeKeys();
  return { cert: await authority.issue(id, publicKey), key: privateKey };
}

export interface Listening extends AsyncDisposable {
  readonly server: LinkServer;
  readonly port: number;
  /** The channels that came, in order. */
  readonly channels: Channel[];
}

/** Listens on a real socket, and refuses whoever shows a certificate that `authority` does not know. */
export async function listenWith(tls: ServerTls | undefined, authority?: Authority): Promise<Listening> {
  const channels: Channel[] = [];
  const server = await openLinkServer(
    "127.0.0.1:0",
    (channel) => {
      channel.listen({ onFrames: (frames) => channel.send(frames), onClosed: () => undefined });
      const certificate = channel.shown?.certificate;
      try {
        if (certificate !== undefined) authority?.verify(certificate);
        channels.push(channel);
      } catch (error) {
        channel.close(error as MetanodeError);
      }
    },
    tls,
  );
  const port = Number(server.address.slice(server.address.lastIndexOf(":") + 1));
  return { server, port, channels, [Symbol.asyncDispose]: () => server.close() };
}

/** Dials, and says something; resolves when it comes back, rejects with what ends the link before. */
export function echo(address: string, tls?: ClientTls): Promise<void> {
  const channel = dialLink(address, tls);
  return new Promise((resolve, reject) => {
    channel.listen({
      onFrames: () => {
        resolve();
        channel.close();
      },
      onClosed: (error) => reject(error ?? new Error("the link ended before anything came back")),
    });
    channel.send([{ call: 1, ping: {} }]);
  });
}
