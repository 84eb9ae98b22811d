import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MessageTcp } from "../../src/tcp/index.ts";
import { cutBytes } from "../splitting/reads.ts";
import { handler, Peer, serve, tcpStage, until } from "./stage.ts";

/** A header of four bytes: a kind, then a length of two bytes that counts what follows, then a zero. */
const header = { headerSize: 4, headerLengthPosition: 1, headerLengthSize: 2 } as const;

function framed(bodies: readonly Uint8Array[]): Uint8Array[] {
  return bodies.map((body) => {
    const chunk = Buffer.alloc(4 + body.length, 7);
    chunk.writeUInt16BE(body.length, 1);
    chunk.set(body, 4);
    return chunk;
  });
}

const bodies = fc.array(fc.uint8Array({ maxLength: 90 }), { minLength: 1, maxLength: 30 });

describe("the chunks of a TCP connection", () => {
  test("of a fixed length arrive whole and in order, however the stream is cut into writes (83)", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent, { chunk: { fixedLength: 7 } });
    const stream = fc.uint8Array({ minLength: 7, maxLength: 400 });
    await fc.assert(
      fc.asyncProperty(
        cutBytes(stream, (bytes) => bytes),
        async ([bytes, writes]) => {
          parent.probe.got.length = 0;
          const peer = await Peer.connect(address);
          for (const write of writes) if (write.length > 0) await peer.write(write);
          peer.socket.end();
          await until("the end", () => parent.tcp.disconnects.length === 1);
          const whole = bytes.length - (bytes.length % 7);
          expect(parent.tcp.pieces.every((piece) => piece.length === 7)).toBe(true);
          expect(Buffer.concat(parent.tcp.pieces)).toEqual(Buffer.from(bytes.subarray(0, whole)));
        },
      ),
      { numRuns: 40 },
    );
  });

  test("with a header arrive whole, with it, in order, however the stream is cut and however little room there is (84)", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const worker = handler(stage, { name: "worker", mailboxLimit: 2 });
    worker.probe.react = () => new Promise((resolve) => setImmediate(resolve));
    const { address } = await serve(parent, { chunk: header, processPool: ["worker"], pauseWhenFull: true });
    await fc.assert(
      fc.asyncProperty(
        cutBytes(bodies, (given) => Buffer.concat(framed(given))),
        async ([given, writes]) => {
          worker.probe.got.length = 0;
          const peer = await Peer.connect(address);
          for (const write of writes) if (write.length > 0) await peer.write(write);
          peer.socket.end();
          await until("the end", () => worker.tcp.disconnects.length === 1);
          expect(worker.tcp.kinds).toEqual(["Connect", ...given.map(() => "Data"), "Disconnect"]);
          expect(worker.tcp.pieces.map((piece) => Buffer.from(piece))).toEqual(framed(given));
        },
      ),
      { numRuns: 40 },
    );
    expect(stage.reports).toEqual([]);
  });

  test("over the limit end the connection with actor.too_large, after those before them (85)", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent, { chunk: { ...header, maxLength: 100 } });
    const peer = await Peer.connect(address);
    await peer.write(Buffer.concat(framed([Buffer.alloc(96), Buffer.alloc(97), Buffer.alloc(5)])));
    await until("the end", () => parent.tcp.disconnects.length === 1 && stage.kernel.metas().length === 1);
    expect(parent.tcp.kinds).toEqual(["Connect", "Data", "Disconnect"]);
    expect(stage.reports.map(({ kind, error }) => [kind, (error as { code: string }).code])).toEqual([
      ["ended", "actor.too_large"],
    ]);
    await until("the peer hears of it", () => peer.socket.readableEnded || peer.socket.destroyed);
  });

  test("that say they are shorter than their header end the connection with actor.malformed, as garbage does", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent, { chunk: { ...header, headerLengthIncludesHeader: true, maxLength: 1_000 } });
    const codes = () => stage.reports.map(({ error }) => (error as { code: string }).code);
    await (await Peer.connect(address)).write(Buffer.alloc(10));
    await until("the first end", () => codes().length === 1);
    await (await Peer.connect(address)).write("GET / HTTP/1.1\r\n\r\n");
    await until("the second end", () => codes().length === 2);
    expect(codes()).toEqual(["actor.malformed", "actor.too_large"]);
    const good = await Peer.connect(address);
    await good.write(Buffer.from([0, 0, 5, 0, 9]));
    await until("a chunk", () => parent.tcp.pieces.length === 1);
  });

  test("that the stream ends within are dropped", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent, { chunk: { fixedLength: 4 } });
    const peer = await Peer.connect(address);
    await peer.write("abcdef");
    peer.socket.end();
    await until("the end", () => parent.tcp.disconnects.length === 1);
    expect(parent.tcp.text).toBe("abcd");
    expect(stage.reports).toEqual([]);
  });

  test("do not exist where none were asked for: no message is longer than a read", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    const { address } = await serve(parent, { readBufferSize: 1_000 });
    const peer = await Peer.connect(address);
    const bytes = Buffer.from(Array.from({ length: 25_000 }, (_, index) => index % 251));
    await peer.write(bytes);
    await until("all", () => Buffer.concat(parent.tcp.pieces).length === bytes.length);
    expect(Buffer.concat(parent.tcp.pieces)).toEqual(bytes);
    expect(Math.max(...parent.tcp.pieces.map((piece) => piece.length))).toBe(1_000);
  });

  test("come back as they were when a handler writes thousands of them in one turn", async () => {
    const stage = tcpStage();
    const parent = handler(stage);
    parent.probe.react = (message) => {
      if (message instanceof MessageTcp) parent.probe.send(message.id, message);
    };
    const { address } = await serve(parent, { chunk: { fixedLength: 8 } });
    const peer = await Peer.connect(address);
    const bytes = Buffer.from(Array.from({ length: 400_000 }, (_, index) => (index * 7) % 256));
    await peer.write(bytes);
    await until("all", () => peer.bytes === bytes.length);
    expect(Buffer.concat(peer.got).equals(bytes)).toBe(true);
  });
});
