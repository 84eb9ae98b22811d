import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { coreError, type MetanodeError } from "../../src/errors.ts";
import { type Channel, createMemoryChannel } from "../../src/link/channel.ts";
import { decodeBatch, encodeBatch } from "../../src/link/codec.ts";
import type { Frame } from "../../src/link/frames.ts";
import { dialLink, openLinkServer } from "../../src/link/grpc.ts";
import { temporaryFolder } from "../fixtures/host.ts";
import { errorOf, until } from "../fixtures/until.ts";

interface Ends extends AsyncDisposable {
  readonly dialling: Channel;
  readonly listening: Channel;
}

async function openMemory(): Promise<Ends> {
  const [dialling, listening] = createMemoryChannel();
  return { dialling, listening, [Symbol.asyncDispose]: async () => dialling.close() };
}

async function openGrpc(): Promise<Ends> {
  const folder = await temporaryFolder();
  const arrived = Promise.withResolvers<Channel>();
  const server = await openLinkServer(`unix:${join(folder.path, "s")}`, arrived.resolve);
  const dialling = dialLink(server.address);
  const listening = await arrived.promise;
  return {
    dialling,
    listening,
    async [Symbol.asyncDispose]() {
      await server.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

interface Heard {
  readonly calls: number[];
  readonly batches: number;
  readonly ends: (MetanodeError | undefined)[];
}

function listen(channel: Channel): Heard {
  const heard = { calls: [] as number[], batches: 0, ends: [] as (MetanodeError | undefined)[] };
  channel.listen({
    onFrames: (frames) => {
      heard.batches++;
      heard.calls.push(...frames.map(({ call }) => call ?? 0));
    },
    onClosed: (error) => heard.ends.push(error),
  });
  return heard;
}

const ping = (call: number): Frame => ({ call, ping: {} });

describe.each([
  { kind: "memory", open: openMemory },
  { kind: "gRPC", open: openGrpc },
])("a channel over $kind", ({ open }) => {
  test("tells why it was closed, with the details", async () => {
    await using ends = await open();
    const here = listen(ends.dialling);
    listen(ends.listening);
    ends.listening.close(
      coreError("tree.stale_epoch", "the node is managed by überall now", { details: { epoch: 2, by: "n7" } }),
    );
    await until("the end is told", () => here.ends.length === 1);
    expect(here.ends[0]).toMatchObject({ code: "tree.stale_epoch", details: { epoch: 2, by: "n7" } });
  });

  test("carries every frame both ways, in order, batch by batch", async () => {
    await using ends = await open();
    const there = listen(ends.listening);
    const here = listen(ends.dialling);
    for (let n = 0; n < 500; n++) {
      ends.dialling.send([ping(2 * n + 1), ping(2 * n + 2)]);
      ends.listening.send([ping(n)]);
    }
    await until("all have come", () => there.calls.length === 1_000 && here.calls.length === 500);
    expect(there.calls).toEqual(Array.from({ length: 1_000 }, (_, n) => n + 1));
    expect(here.calls).toEqual(Array.from({ length: 500 }, (_, n) => n));
    expect(there.batches).toBe(500);
  });

  test("keeps for its listener what came before it listened", async () => {
    await using ends = await open();
    listen(ends.dialling);
    ends.dialling.send([ping(1)]);
    ends.dialling.send([ping(2)]);
    await new Promise((resolve) => setImmediate(resolve));
    const there = listen(ends.listening);
    await until("both have come", () => there.calls.length === 2);
    expect(there.calls).toEqual([1, 2]);
  });

  test("ended in order tells both sides once, after what was sent before", async () => {
    await using ends = await open();
    const there = listen(ends.listening);
    const here = listen(ends.dialling);
    ends.dialling.send([ping(1)]);
    ends.dialling.close();
    ends.dialling.close();
    ends.dialling.send([ping(2)]);
    await until("both know", () => there.ends.length > 0 && here.ends.length > 0);
    expect(there).toMatchObject({ calls: [1], ends: [undefined] });
    expect(here.ends).toEqual([undefined]);
  });

  test("ended with an error by the listening side tells the dialling side its code and text", async () => {
    await using ends = await open();
    listen(ends.listening);
    const here = listen(ends.dialling);
    ends.dialling.send([ping(1)]);
    ends.listening.close(coreError("auth.denied", "not you"));
    await until("it knows", () => here.ends.length > 0);
    expect(here.ends).toHaveLength(1);
    expect(here.ends[0]).toMatchObject({ code: "auth.denied", message: "not you" });
  });
});

describe("a gRPC link", () => {
  test("to an address where nobody listens ends with node.unreachable", async () => {
    await using folder = await temporaryFolder();
    const here = listen(dialLink(`unix:${join(folder.path, "nobody")}`));
    await until("it knows", () => here.ends.length > 0);
    expect(here.ends[0]).toMatchObject({ code: "node.unreachable" });
  });

  test("whose address is taken, or cannot be made, is not served: node.port_in_use", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    expect(await errorOf(openLinkServer(`127.0.0.1:${port}`, () => undefined))).toMatchObject({ code: "node.port_in_use" });
    other.close();
    await using folder = await temporaryFolder();
    const missing = openLinkServer(`unix:${join(folder.path, "no", "such", "folder", "s")}`, () => undefined);
    expect(await errorOf(missing)).toMatchObject({ code: "node.port_in_use" });
  });
});

describe("a batch", () => {
  test("is read as it was written, also by frames that a later version added to", () => {
    const frames: Frame[] = [
      { call: 1, request: { message: { id: "1", source: "/", type: "a.b", data: new Uint8Array([1]) }, timeoutMs: 5 } },
      ping(2),
    ];
    const written = encodeBatch(frames);
    const later = Buffer.concat([written, Buffer.from([0xba, 0x3e, 3, 1, 2, 3])]);
    expect(decodeBatch(later)).toMatchObject([
      { call: 1, request: { timeoutMs: 5, message: { type: "a.b" } } },
      { call: 2, ping: {} },
    ]);
  });

  test("that is truncated or foreign is processor.protocol, wherever it breaks off", () => {
    const whole = encodeBatch([{ call: 7, reply: { data: new Uint8Array(40), datacontenttype: "text/plain" } }]);
    for (let length = 1; length < whole.length; length++) {
      expect(() => decodeBatch(whole.subarray(0, length))).toThrowError(expect.objectContaining({ code: "processor.protocol" }));
    }
    expect(() => decodeBatch(Buffer.from("ffffff", "hex"))).toThrowError(expect.objectContaining({ code: "processor.protocol" }));
  });
});
