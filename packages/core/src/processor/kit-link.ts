import { chmodSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { coreError, errorRow, type MetanodeError } from "../errors.ts";
import { createMemoryChannel } from "../link/channel.ts";
import { decodeBatch, encodeBatch } from "../link/codec.ts";
import type { Frame } from "../link/frames.ts";
import { ATTACH } from "../link/grpc.ts";

/** The node's end of one link, frame by frame: nothing is done that a check did not ask for. */
export interface KitLink {
  /** Sends frames as one batch. */
  send(frames: readonly Frame[]): void;
  /** Sends bytes as one batch, whatever they are. Absent where there are no bytes: in process. */
  readonly sendBytes?: (bytes: Uint8Array) => void;
  /** Ends the link in order. */
  end(): void;
  /** Ends the link with a status, as a node that refuses. */
  refuse(error: MetanodeError): void;
  /** Who hears what comes; set once, before the first frame. */
  onFrames: (frames: readonly Frame[]) => void;
  /** The other side ended. */
  onEnd: () => void;
}

/** Where the links of one life come in. */
export interface KitDoor {
  /** `unix:/path`; empty in process. */
  readonly address: string;
  /** Drops every link as the death of a node would, and stops listening. Idempotent. */
  cut(): Promise<void>;
}

/** A link whose listeners come a little later than its first frames. */
class Buffered {
  #early: (readonly Frame[])[] = [];
  #listener: ((frames: readonly Frame[]) => void) | undefined;

  get onFrames(): (frames: readonly Frame[]) => void {
    return (frames) => this.push(frames);
  }

  set onFrames(listener: (frames: readonly Frame[]) => void) {
    this.#listener = listener;
    for (const frames of this.#early.splice(0)) listener(frames);
  }

  push(frames: readonly Frame[]): void {
    if (this.#listener) this.#listener(frames);
    else this.#early.push(frames);
  }
}

class GrpcLink extends Buffered implements KitLink {
  readonly #call: grpc.ServerDuplexStream<Buffer, Buffer>;
  onEnd: () => void = () => undefined;

  constructor(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
    super();
    this.#call = call;
    call.on("data", (bytes: Buffer) => this.push(decodeBatch(bytes)));
    call.on("end", () => this.onEnd());
    call.on("error", () => this.onEnd());
    call.on("cancelled", () => this.onEnd());
  }

  send(frames: readonly Frame[]): void {
    this.sendBytes(encodeBatch(frames));
  }

  readonly sendBytes = (bytes: Uint8Array): void => {
    this.#call.write(Buffer.from(bytes));
  };

  end(): void {
    this.#call.end();
  }

  refuse(error: MetanodeError): void {
    const metadata = new grpc.Metadata();
    metadata.set("metanode-code", error.code);
    this.#call.emit("error", { code: errorRow(error.code).grpc, details: error.message, metadata });
  }
}

/** Listens on a unix socket of its own, with a server that does as it is told and nothing by itself. */
export async function openKitDoor(onLink: (link: KitLink) => void): Promise<KitDoor> {
  const folder = await mkdtemp(join(tmpdir(), "mn-kit-"));
  const path = join(folder, "kit.sock");
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
  server.addService({ Attach: ATTACH } as never, {
    Attach: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => onLink(new GrpcLink(call)),
  });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${path}`, grpc.ServerCredentials.createInsecure(), (error) => {
      if (error) reject(coreError("node.port_in_use", `cannot listen on ${path}: ${error.message}`, { cause: error }));
      else resolve();
    });
  });
  chmodSync(path, 0o600);
  let isOpen = true;
  return {
    address: `unix:${path}`,
    async cut() {
      if (!isOpen) return;
      isOpen = false;
      server.forceShutdown();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A link in memory, and the other end of it for the definition. */
export function createKitMemoryLink(): { link: KitLink; channel: ReturnType<typeof createMemoryChannel>[1]; cut: () => void } {
  const [here, there] = createMemoryChannel();
  const buffered = new Buffered();
  const link: KitLink = Object.assign(buffered, {
    send: (frames: readonly Frame[]) => here.send(frames),
    end: () => here.close(),
    refuse: (error: MetanodeError) => here.close(error),
    onEnd: () => undefined,
  });
  here.listen({ onFrames: (frames) => buffered.push(frames), onClosed: () => link.onEnd() });
  const cut = (): void => here.close(coreError("node.unreachable", "the node is gone"));
  return { link, channel: there, cut };
}
