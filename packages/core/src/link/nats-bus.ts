import { setTimeout as delay } from "node:timers/promises";
import { coreError, type MetanodeError } from "../errors.ts";

/** A message of NATS, as far as links look at it. */
export interface NatsMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply?: string;
  readonly headers?: { readonly code: number };
}

/** What links need of a connection to NATS: `NatsConnection` of `@nats-io/transport-node` (or of `nats-core` over WebSockets) fits. */
export interface NatsConnectionLike {
  readonly info?: { readonly max_payload: number };
  publish(subject: string, payload?: Uint8Array, options?: { reply?: string }): void;
  subscribe(subject: string, options: { callback: (error: Error | null, message: NatsMessage) => void }): { unsubscribe(): void };
  status(): AsyncIterable<{ readonly type: string }> & { stop?(): void };
  flush(): Promise<void>;
  // biome-ignore lint/suspicious/noConfusingVoidType: as the package declares it
  closed(): Promise<void | Error>;
  close(): Promise<void>;
  isClosed(): boolean;
}

/** What stands on the connection: a channel, or somebody who listens. */
export interface BusMember {
  /** The connection broke, whether or not it is made again. */
  lost(error: MetanodeError): void;
  /** The server does not let us send to a subject. */
  refused(subject: string, error: MetanodeError): void;
}

/** Whether a message is the server's: nobody receives what was sent (status 503). */
export function isNobodyThere({ data, headers }: NatsMessage): boolean {
  return data.length === 0 && headers?.code === 503;
}

/** Makes the connection of a transport that has none. */
export interface BusOptions {
  readonly connection?: NatsConnectionLike | undefined;
  readonly servers?: string | readonly string[] | undefined;
  /** Longest wait for a connection, in milliseconds. */
  readonly connectMs: number;
}

/** How long the server has to take what was sent before a member leaves. */
const FLUSH_MS = 1_000;

/** Servers, and who may use them: `nats://user:password@host:port`, which the client library does not take apart. */
function placesOf(urls: readonly string[]): { servers: string[]; user?: string; pass?: string } {
  const given = urls.map(
    (url) => /^(?<scheme>\w+:\/\/)?(?:(?<user>[^:@/]*):(?<pass>[^@/]*)@)?(?<place>.+)$/.exec(url)?.groups ?? {},
  );
  const servers = given.map(({ scheme = "", place = "" }) => scheme + place);
  const who = given.find(({ user }) => user !== undefined);
  if (who === undefined) return { servers };
  return { servers, user: decodeURIComponent(who.user ?? ""), pass: decodeURIComponent(who.pass ?? "") };
}

/**
 * The connection of a transport and who stands on it.
 *
 * B1. Between two breaks of the connection everything sent on it is carried in order or not at all; so whoever stands on it is told of
 *     each break, and nobody joins while it is broken.
 * B2. A connection of our own is made for the first member and closed after the last one, with what was sent before: a transport that
 *     nobody uses holds nothing, and keeps no process alive.
 */
export class Bus {
  readonly #options: BusOptions;
  readonly #members = new Set<BusMember>();
  #connection: Promise<NatsConnectionLike> | undefined;
  #stopWatching: () => void = () => undefined;
  #isBroken = false;

  constructor(options: BusOptions) {
    this.#options = options;
  }

  /** The connection, from now on with this member. @throws {MetanodeError} node.unreachable, config.invalid – the package is missing */
  async join(member: BusMember): Promise<NatsConnectionLike> {
    this.#members.add(member);
    this.#connection ??= this.#open();
    try {
      const connection = await this.#connection;
      if (this.#isBroken || connection.isClosed()) throw coreError("node.unreachable", "the connection to NATS is broken");
      return connection;
    } catch (error) {
      void this.leave(member);
      throw error;
    }
  }

  /** Adds a member while another one is there. */
  accompany(member: BusMember): void {
    this.#members.add(member);
  }

  /** Resolves when the server has what was sent, or the connection is broken. */
  async leave(member: BusMember): Promise<void> {
    if (!this.#members.delete(member)) return;
    const given = this.#connection;
    const isLast = this.#members.size === 0;
    if (isLast) {
      this.#connection = undefined;
      this.#stopWatching();
    }
    const connection = await given?.catch(() => undefined);
    if (connection === undefined || connection.isClosed()) return;
    // A connection that is being made again would keep the flush waiting, and one may have broken unnoticed.
    if (!this.#isBroken)
      await Promise.race([connection.flush().catch(() => undefined), delay(FLUSH_MS, undefined, { ref: false })]);
    if (isLast && this.#options.connection === undefined) await connection.close();
  }

  async #open(): Promise<NatsConnectionLike> {
    this.#isBroken = false;
    try {
      const connection = this.#options.connection ?? (await this.#connect());
      this.#watch(connection);
      return connection;
    } catch (error) {
      this.#connection = undefined;
      throw error;
    }
  }

  async #connect(): Promise<NatsConnectionLike> {
    const { servers = [], connectMs } = this.#options;
    const { connect } = await import("@nats-io/transport-node").catch((cause) => {
      throw coreError("config.invalid", "links over NATS need the package @nats-io/transport-node; install it", { cause });
    });
    const options = {
      ...placesOf([servers].flat()),
      timeout: connectMs,
      // Whoever listens goes on when the server comes back, and however long that takes.
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true,
    };
    return connect(options).catch((cause) => {
      throw coreError("node.unreachable", "no connection to NATS", { cause }); // without the address: it may hold a password
    });
  }

  #watch(connection: NatsConnectionLike): void {
    let isOver = false;
    const status = connection.status();
    this.#stopWatching = () => {
      isOver = true;
      status.stop?.();
    };
    void (async () => {
      for await (const event of status) {
        if (isOver) return;
        if (event.type === "disconnect") this.#broke("the connection to NATS broke");
        else if (event.type === "reconnect") this.#isBroken = false;
        else if (event.type === "error") this.#refused((event as { error?: unknown }).error);
      }
    })();
    void connection.closed().then(() => {
      if (isOver) return;
      this.#connection = undefined;
      this.#broke("the connection to NATS is closed");
    });
  }

  #broke(text: string): void {
    this.#isBroken = true;
    for (const member of [...this.#members]) member.lost(coreError("node.unreachable", text));
  }

  #refused(cause: unknown): void {
    const { operation, subject } = (cause ?? {}) as { operation?: string; subject?: string };
    if (operation !== "publish" || subject === undefined) return;
    const error = coreError("auth.denied", `NATS does not let this node send to ${subject}`, { cause });
    for (const member of [...this.#members]) member.refused(subject, error);
  }
}
