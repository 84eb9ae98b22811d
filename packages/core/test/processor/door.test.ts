import { chmod, readdir, readlink, stat } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import type { Channel } from "../../src/link/channel.ts";
import { encodeBatch } from "../../src/link/codec.ts";
import type { Hello } from "../../src/link/frames.ts";
import { dialLink, MAX_BATCH_BYTES } from "../../src/link/grpc.ts";
import { greet } from "../../src/link/handshake.ts";
import { ProcessorDoor } from "../../src/processor/door.ts";
import { listeningSockets } from "../../src/processor/kit-sockets.ts";
import { fixture, openTestHost, pidsOf, temporaryFolder } from "../fixtures/host.ts";
import { errorOf, until } from "../fixtures/until.ts";

const HELLO: Hello = { versionMin: 1, versionMax: 1, name: "stranger", types: [{ type: "a.x" }], concurrency: 1 };
const WAIT = { clock: systemClock, timeoutMs: 10_000 };

async function openDoor(): Promise<{ door: ProcessorDoor; folder: string; refused: unknown[] } & AsyncDisposable> {
  const folder = await temporaryFolder();
  const refused: unknown[] = [];
  const door = await ProcessorDoor.open({
    folder: join(folder.path, "run"),
    node: "test",
    clock: systemClock,
    onRefused: (error) => refused.push(error),
  });
  return {
    door,
    folder: join(folder.path, "run"),
    refused,
    async [Symbol.asyncDispose]() {
      await door.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Whether a processor that was asked to come in still can. */
async function stillServes(door: ProcessorDoor): Promise<boolean> {
  const { secret, arrived } = door.invite("guest");
  const { channel, greeting } = await greet(dialLink(door.address), { ...HELLO, secret }, WAIT);
  const { greeting: hello } = await arrived;
  channel.close();
  return greeting.node === "test" && hello.name === "stranger";
}

describe("M-22 a processor is never exposed", () => {
  test("the one entrance is a unix socket of mode 0600 in a folder of mode 0700", async () => {
    await using opened = await openDoor();
    const path = opened.door.address.replace(/^unix:/, "");
    expect((await stat(path)).mode & 0o7777).toBe(0o600);
    expect((await stat(opened.folder)).mode & 0o7777).toBe(0o700);
  });

  test("a folder that stood open before is closed to others", async () => {
    await using folder = await temporaryFolder();
    await chmod(folder.path, 0o755);
    const door = await ProcessorDoor.open({ folder: folder.path, node: "test", clock: systemClock });
    const mode = (await stat(folder.path)).mode & 0o7777;
    await door.close();
    expect(mode).toBe(0o700);
  });

  test("where the folder's path is too long for a socket, another folder of mode 0700 is made and removed again", async () => {
    await using folder = await temporaryFolder();
    const door = await ProcessorDoor.open({ folder: join(folder.path, "long".repeat(30)), node: "test", clock: systemClock });
    const path = door.address.replace(/^unix:/, "");
    expect((await stat(path)).mode & 0o7777).toBe(0o600);
    expect((await stat(join(path, ".."))).mode & 0o7777).toBe(0o700);
    await door.close();
    await expect(stat(join(path, ".."))).rejects.toMatchObject({ code: "ENOENT" });
  });

  test.skipIf(process.platform !== "linux")(
    "no process of a processor listens, neither on TCP nor on a unix socket",
    async () => {
      await using node = await openTestHost();
      await node.host.add({ name: "working", file: fixture("working"), processes: 2 });
      const ours = await listeningSockets(process.pid);
      expect(ours.some(({ address }) => address === node.host.address.replace(/^unix:/, ""))).toBe(true);
      expect(ours.filter(({ kind }) => kind === "tcp")).toEqual([]);
      for (const pid of pidsOf(node.host, "working")) {
        expect(await listeningSockets(pid)).toEqual([]);
        expect(await openSockets(pid)).toBeGreaterThan(0); // the scan does look at the sockets of that process
      }
    },
  );

  test("a secret is not in the command line, and not in the environment of what the processor starts", async () => {
    await using node = await openTestHost();
    await node.host.add({ name: "child", file: fixture("child-environment") });
    const seen = (await node.router.call({ type: "child.environment" })) as { own: string[]; child: string[]; argv: string[] };
    expect(seen.own.filter((key) => key === "METANODE_SECRET")).toEqual([]);
    expect(seen.child.filter((key) => key === "METANODE_SECRET")).toEqual([]);
    expect(seen.argv.join(" ")).not.toMatch(/[\w-]{43}/);
  });

  test("without a secret, with a wrong one and with a used one the door stays shut, and the node goes on", async () => {
    await using opened = await openDoor();
    const { door, refused } = opened;
    expect(await errorOf(greet(dialLink(door.address), HELLO, WAIT))).toMatchObject({ code: "auth.unauthenticated" });
    const wrong = greet(dialLink(door.address), { ...HELLO, secret: "guess" }, WAIT);
    expect(await errorOf(wrong)).toMatchObject({ code: "auth.unauthenticated" });
    const { secret, arrived } = door.invite("guest");
    const first = await greet(dialLink(door.address), { ...HELLO, secret }, WAIT);
    await arrived;
    expect(await errorOf(greet(dialLink(door.address), { ...HELLO, secret }, WAIT))).toMatchObject({
      code: "auth.unauthenticated",
    });
    expect(refused).toHaveLength(3);
    expect(await stillServes(door)).toBe(true);
    first.channel.close();
  });

  test("of two that come at once with the same secret, one gets in", async () => {
    await using opened = await openDoor();
    const { secret } = opened.door.invite("guest");
    const results = await Promise.allSettled([1, 2].map(() => greet(dialLink(opened.door.address), { ...HELLO, secret }, WAIT)));
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    for (const result of results) if (result.status === "fulfilled") result.value.channel.close();
  });

  test("an invitation that was withdrawn lets nobody in", async () => {
    await using opened = await openDoor();
    const { secret, cancel } = opened.door.invite("guest");
    cancel();
    expect(await errorOf(greet(dialLink(opened.door.address), { ...HELLO, secret }, WAIT))).toMatchObject({
      code: "auth.unauthenticated",
    });
  });

  test("reflection and every other service are off", async () => {
    await using opened = await openDoor();
    for (const path of ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/grpc.health.v1.Health/Check"]) {
      const status = await rawCall(opened.door.address, path, Buffer.alloc(5));
      expect(status["grpc-status"]).toBe("12");
    }
  });
});

describe("M-26 the handshake settles version and types", () => {
  test("a version that the node does not speak is refused with protocol.version, naming both ranges", async () => {
    await using opened = await openDoor();
    const { secret } = opened.door.invite("guest");
    const error = await errorOf(greet(dialLink(opened.door.address), { ...HELLO, secret, versionMin: 2, versionMax: 9 }, WAIT));
    expect(error).toMatchObject({ code: "protocol.version" });
    expect(error.message).toContain("2 to 9");
    expect(error.message).toContain("1 to 1");
    expect(await stillServes(opened.door)).toBe(true);
  });

  test("of a range that reaches beyond the node's, the highest version that both speak is chosen", async () => {
    await using opened = await openDoor();
    const { secret } = opened.door.invite("guest");
    const { greeting, channel } = await greet(dialLink(opened.door.address), { ...HELLO, secret, versionMax: 9 }, WAIT);
    expect(greeting).toMatchObject({ version: 1, node: "test" });
    channel.close();
  });

  test("noise on standard output reaches the log with the process's name and corrupts nothing", async () => {
    await using node = await openTestHost();
    await node.host.add({ name: "faulty", file: fixture("faulty") });
    const calls = Array.from({ length: 20 }, () => node.router.call({ type: "faulty.print", data: { lines: 50 } }));
    const others = Array.from({ length: 20 }, () => node.router.call({ type: "faulty.ok" }));
    expect(new Set(await Promise.all(calls))).toEqual(new Set([50]));
    expect(new Set(await Promise.all(others))).toEqual(new Set(pidsOf(node.host, "faulty")));
    const lines = await until("the noise is in the log", () => {
      const logs = node.host.logs("faulty");
      return logs.length >= 1_000 ? logs : undefined;
    });
    expect(new Set(lines.map(({ processor }) => processor))).toEqual(new Set(["faulty.0"]));
    expect(new Set(lines.map(({ stream }) => stream))).toEqual(new Set(["stdout", "stderr"]));
  });
});

describe("C7.7 a hostile neighbour at the processors' socket", () => {
  test("bytes that are no HTTP/2 end their own connection only", async () => {
    await using opened = await openDoor();
    const socket = connect(opened.door.address.replace(/^unix:/, ""));
    socket.on("error", () => undefined);
    socket.resume();
    socket.write(Buffer.from("GET / HTTP/1.1\r\n\r\n\u0000\u0001\u0002garbage".repeat(50)));
    await new Promise((resolve) => socket.once("close", resolve));
    expect(await stillServes(opened.door)).toBe(true);
  });

  test("a batch of garbage is refused with processor.protocol", async () => {
    await using opened = await openDoor();
    const status = await rawCall(
      opened.door.address,
      "/metanode.v1.Link/Attach",
      grpcMessage(Buffer.from("ffffffffffff", "hex")),
    );
    expect(status).toMatchObject({ "metanode-code": "processor.protocol" });
    await until("the refusal is told", () => opened.refused.length === 1);
    expect(opened.refused[0]).toMatchObject({ code: "processor.protocol" });
    expect(await stillServes(opened.door)).toBe(true);
  });

  test("a truncated batch is refused with processor.protocol", async () => {
    await using opened = await openDoor();
    const whole = encodeBatch([{ hello: HELLO }]);
    const status = await rawCall(
      opened.door.address,
      "/metanode.v1.Link/Attach",
      grpcMessage(whole.subarray(0, whole.length - 3)),
    );
    expect(status).toMatchObject({ "metanode-code": "processor.protocol" });
    expect(await stillServes(opened.door)).toBe(true);
  });

  test("a stream that is cut in the middle of a frame leaves nothing behind but its refusal", async () => {
    await using opened = await openDoor();
    const client = connectHttp2("http://localhost", {
      createConnection: () => connect(opened.door.address.replace(/^unix:/, "")),
    });
    client.on("error", () => undefined);
    const request = client.request(attachHeaders("/metanode.v1.Link/Attach"));
    request.on("error", () => undefined);
    const whole = grpcMessage(encodeBatch([{ hello: HELLO }]));
    await new Promise<void>((resolve) => request.write(whole.subarray(0, 9), () => resolve()));
    await until("the stream is there", () => opened.refused.length === 0);
    client.destroy();
    await until("the refusal is told", () => opened.refused.length === 1);
    expect(opened.refused[0]).toMatchObject({ code: "processor.protocol" });
    expect(await stillServes(opened.door)).toBe(true);
  });

  test("a batch that says it is larger than any may be is refused before it is read", async () => {
    await using opened = await openDoor();
    const head = Buffer.alloc(5);
    head.writeUInt32BE(MAX_BATCH_BYTES + 1, 1);
    const status = await rawCall(opened.door.address, "/metanode.v1.Link/Attach", head);
    expect(status["grpc-status"]).toBe("8");
    await until("the refusal is told", () => opened.refused.length === 1);
    expect(await stillServes(opened.door)).toBe(true);
  });

  test("a first frame that is no hello, and a hello that never comes, are refused", async () => {
    await using opened = await openDoor();
    const channel = dialLink(opened.door.address);
    const ended = endOf(channel);
    channel.send([{ call: 1, ping: {} }]);
    expect(await ended).toMatchObject({ code: "processor.protocol" });
    const silent = dialLink(opened.door.address);
    const silentEnd = endOf(silent);
    silent.close();
    await silentEnd;
    expect(await stillServes(opened.door)).toBe(true);
  });
});

function endOf(channel: Channel): Promise<unknown> {
  return new Promise((resolve) => channel.listen({ onFrames: () => undefined, onClosed: resolve }));
}

async function openSockets(pid: number): Promise<number> {
  const folder = `/proc/${pid}/fd`;
  const links = await Promise.all((await readdir(folder)).map((fd) => readlink(join(folder, fd)).catch(() => "")));
  return links.filter((link) => link.startsWith("socket:")).length;
}

function grpcMessage(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function attachHeaders(path: string): Record<string, string> {
  return { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
}

/** One gRPC call made by hand over HTTP/2, so that anything at all can be sent. Gives its status trailers. */
function rawCall(address: string, path: string, body: Buffer): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const client = connectHttp2("http://localhost", { createConnection: () => connect(address.replace(/^unix:/, "")) });
    client.on("error", reject);
    const request = client.request(attachHeaders(path));
    request.on("error", () => undefined); // the trailers say what there is to say
    request.on("response", (headers) => {
      if (headers["grpc-status"] === undefined) return;
      client.destroy();
      resolve(headers);
    });
    request.on("trailers", (trailers) => {
      client.destroy();
      resolve(trailers);
    });
    request.resume();
    request.end(body);
  });
}

describe("what a processor's process sees", () => {
  test("of the node's environment only what every program needs, and what its spec gives it", async () => {
    process.env.FIXTURE_NODE_SECRET = "of the node";
    try {
      await using node = await openTestHost();
      await node.host.add({ name: "child", file: fixture("child-environment"), env: { GIVEN: "yes" } });
      const { own } = (await node.router.call({ type: "child.environment" })) as { own: string[] };
      expect(own).toContain("GIVEN");
      expect(own).toContain("PATH");
      expect(own).not.toContain("FIXTURE_NODE_SECRET");
    } finally {
      delete process.env.FIXTURE_NODE_SECRET;
    }
  });
});
