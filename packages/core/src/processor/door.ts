import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { coreError } from "../errors.ts";
import type { Channel } from "../link/channel.ts";
import type { Hello } from "../link/frames.ts";
import { MAX_BATCH_BYTES, openLinkServer } from "../link/grpc.ts";
import { type Greeted, receive } from "../link/handshake.ts";
import type { LinkServer } from "../link/transport.ts";

/** A unix socket's path may have 107 bytes on Linux, 103 on macOS. */
const MAX_SOCKET_PATH_BYTES = 103;

/** Calls that one processor may have open with the node. */
export const PROCESSOR_CONCURRENCY = 1_024;

export interface DoorOptions {
  /** Where the socket is made, if its path is short enough; else in the system's folder for temporary files. */
  folder: string;
  node: string;
  clock: Clock;
  /** Told of every attempt that was refused. */
  onRefused?: (error: unknown) => void;
}

/** A visitor who is expected: one process of one processor. */
export interface Invitation {
  readonly secret: string;
  /** Resolves when the process has come in with the secret. */
  readonly arrived: Promise<Greeted<Hello>>;
  /** The process will not come any more. */
  cancel(): void;
}

interface Expected {
  readonly name: string;
  readonly welcome: (greeted: Greeted<Hello>) => void;
}

/**
 * The one entrance for processors: a unix socket of mode 0600 in a folder of mode 0700. Whoever comes without a secret
 * that was handed out, or with one that was used before, is refused with `auth.unauthenticated`.
 */
export class ProcessorDoor {
  readonly address: string;
  readonly #folder: string | undefined;
  readonly #options: DoorOptions;
  readonly #expected = new Map<string, Expected>();
  readonly #server: LinkServer;

  private constructor(server: LinkServer, folder: string | undefined, options: DoorOptions, admit: { door?: ProcessorDoor }) {
    this.#server = server;
    this.address = server.address;
    this.#folder = folder;
    this.#options = options;
    admit.door = this;
  }

  static async open(options: DoorOptions): Promise<ProcessorDoor> {
    let path = join(options.folder, "processors.sock");
    let temporary: string | undefined;
    if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
      temporary = await mkdtemp(join(tmpdir(), "metanode-")); // made with mode 0700
      path = join(temporary, "processors.sock");
    } else {
      mkdirSync(options.folder, { recursive: true, mode: 0o700 });
      chmodSync(options.folder, 0o700); // it may have been there, and open to others
      rmSync(path, { force: true }); // of a node that was killed; the data folder's lock says that none lives
    }
    const admit: { door?: ProcessorDoor } = {};
    const server = await openLinkServer(`unix:${path}`, (channel) => void admit.door?.admit(channel));
    chmodSync(path, 0o600);
    return new ProcessorDoor(server, temporary, options, admit);
  }

  /** Hands out a secret for one process. */
  invite(name: string): Invitation {
    const secret = randomBytes(32).toString("base64url");
    const { promise, resolve } = Promise.withResolvers<Greeted<Hello>>();
    this.#expected.set(secret, { name, welcome: resolve });
    return { secret, arrived: promise, cancel: () => void this.#expected.delete(secret) };
  }

  async admit(channel: Channel): Promise<void> {
    let expected: Expected | undefined;
    try {
      const greeted = await receive(
        channel,
        (hello) => {
          expected = this.#expected.get(hello.secret ?? "");
          if (expected === undefined) {
            throw coreError("auth.unauthenticated", "the secret of the processor is unknown, used already or expired");
          }
          this.#expected.delete(hello.secret ?? "");
          return { concurrency: PROCESSOR_CONCURRENCY, maxBatchBytes: MAX_BATCH_BYTES, node: this.#options.node };
        },
        { clock: this.#options.clock, timeoutMs: 10_000 },
      );
      expected?.welcome(greeted);
    } catch (error) {
      this.#options.onRefused?.(error);
    }
  }

  async close(): Promise<void> {
    await this.#server.close();
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}
