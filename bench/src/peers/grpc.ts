import { rmSync } from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import { importPeer } from "../contender.ts";
import type { Echo } from "../echo.ts";
import type { Payload } from "../payload.ts";
import { startModule, temporaryFolder } from "../processes.ts";

/** One payload on the wire. */
export interface WirePayload {
  readonly number: number;
  readonly data: Uint8Array;
}

interface EchoClient {
  Unary(request: WirePayload, onAnswer: (error: Error | null, answer?: WirePayload) => void): unknown;
  Stream(): ClientDuplexStream<WirePayload, WirePayload>;
  waitForReady(deadline: Date, onReady: (error?: Error) => void): void;
  close(): void;
}

/** The service of bench/proto/echo.proto, as @grpc/grpc-js loads it. */
export async function loadEcho(): Promise<{
  grpc: typeof import("@grpc/grpc-js");
  Echo: import("@grpc/grpc-js").ServiceClientConstructor;
}> {
  const grpc = await importPeer<typeof import("@grpc/grpc-js")>("@grpc/grpc-js");
  const loader = await importPeer<typeof import("@grpc/proto-loader")>("@grpc/proto-loader");
  const file = fileURLToPath(new URL("../../proto/echo.proto", import.meta.url));
  const loaded = grpc.loadPackageDefinition(loader.loadSync(file, { keepCase: true })) as unknown as {
    bench: { Echo: import("@grpc/grpc-js").ServiceClientConstructor };
  };
  return { grpc, Echo: loaded.bench.Echo };
}

/** The text of a payload as bytes. */
export function encode(payload: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(payload));
}

/** The payload in its bytes. */
export function decode(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
}

async function connect(): Promise<{ client: EchoClient; close: () => Promise<void> }> {
  const { grpc, Echo } = await loadEcho();
  const folder = temporaryFolder("grpc-");
  const socket = path.join(folder, "s");
  const server = await startModule(new URL("./grpc-server.ts", import.meta.url), [socket]);
  // The same HTTP/2 window as ours has: 256 calls of this size fill the standard one of 64 KiB.
  const options = { "grpc-node.flow_control_window": 4 * 1024 * 1024 };
  const client = new Echo(`unix:${socket}`, grpc.credentials.createInsecure(), options) as unknown as EchoClient;
  await new Promise<void>((resolve, reject) => {
    client.waitForReady(new Date(Date.now() + 10_000), (error) => (error ? reject(error) : resolve()));
  });
  const close = async (): Promise<void> => {
    client.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { client, close };
}

/** A unary call per payload, over a unix socket. */
export async function openGrpcUnary(): Promise<Echo> {
  const { client, close } = await connect();
  const call = (payload: Payload): Promise<unknown> =>
    new Promise((resolve, reject) => {
      client.Unary({ number: payload.number, data: encode(payload) }, (error, answer) => {
        if (error || !answer) reject(error ?? new Error("no answer"));
        else resolve(decode(answer.data));
      });
    });
  return { call, close };
}

/** One bidirectional stream over a unix socket, one frame per payload. */
export async function openGrpcStream(): Promise<Echo> {
  const { client, close } = await connect();
  const stream = client.Stream();
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  stream.on("data", (answer: WirePayload) => {
    waiting.get(answer.number)?.resolve(decode(answer.data));
    waiting.delete(answer.number);
  });
  stream.on("error", (error: Error) => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  });
  const call = (payload: Payload): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiting.set(payload.number, { resolve, reject });
      stream.write({ number: payload.number, data: encode(payload) });
    });
  return {
    call,
    close: async () => {
      stream.end();
      await close();
    },
  };
}
