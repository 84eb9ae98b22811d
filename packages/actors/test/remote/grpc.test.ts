import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { createKernel, type Kernel, type MessageDown, type NetworkOptions, ProcessName } from "../../src/index.ts";
import { dialGrpc, type GrpcServer, openGrpcServer } from "../../src/remote/grpc.ts";
import { inside, Probe } from "../probe.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const code = (value: string) => expect.objectContaining({ code: value });
const cookie = "only for this test";

/** A kernel that listens, and one in another process that has dialled it. */
interface Two extends AsyncDisposable {
  readonly kernel: Kernel;
  readonly server: GrpcServer;
  readonly child: ChildProcess;
}

async function two(options: NetworkOptions = {}): Promise<Two> {
  const connected = Promise.withResolvers<void>();
  const kernel = createKernel({
    name: "parent@test",
    network: { cookie, ...options },
    onReport: ({ kind }) => kind === "node_up" && connected.resolve(),
  });
  const server = await openGrpcServer(kernel, { address: "127.0.0.1:0" });
  const child = spawn(process.execPath, [here("child.ts"), "child@test", server.address, cookie], {
    stdio: ["pipe", "inherit", "inherit"],
  });
  child.once("exit", (status) => connected.reject(new Error(`the child ended with ${status}`)));
  await connected.promise;
  return {
    kernel,
    server,
    child,
    async [Symbol.asyncDispose]() {
      const ended = child.exitCode !== null || child.signalCode !== null ? undefined : once(child, "exit");
      child.kill("SIGKILL");
      await ended;
      await kernel.stop();
      await server.close();
    },
  };
}

/** A watcher and a promise of its next messages. */
function watch(kernel: Kernel, count: number): { probe: Probe; got: Promise<unknown[]> } {
  const probe = inside(kernel.spawn(Probe));
  probe.setTrapExit(true);
  const { promise, resolve } = Promise.withResolvers<unknown[]>();
  probe.react = () => {
    if (probe.got.length === count) resolve(probe.got);
  };
  return { probe, got: promise };
}

describe("kernels in two processes of the operating system, linked over gRPC", () => {
  test("send in order, ask, spawn and watch", async () => {
    await using on = await two();
    const { kernel } = on;
    const echo = new ProcessName("echo", "child@test");
    for (let n = 0; n < 5_000; n++) kernel.send(echo, { n });
    const seen = (await kernel.call(echo, "seen")) as { n: number }[];
    expect(seen.map(({ n }) => n)).toEqual(Array.from({ length: 5_000 }, (_, n) => n));
    expect(await kernel.call(echo, new Map([["bytes", Buffer.alloc(1_000_000, 7)]]))).toEqual(
      new Map([["bytes", Buffer.alloc(1_000_000, 7)]]),
    );
    await expect(kernel.sendImportant(new ProcessName("nobody", "child@test"), 1)).rejects.toEqual(code("actor.process_unknown"));
    const { probe, got } = watch(kernel, 1);
    const spawned = await probe.remoteSpawn("child@test", "doomed", { linkChild: true });
    expect(await got).toEqual([{ kind: "pid", target: spawned, reason: "shutdown" }]);
    expect(kernel.nodes()).toMatchObject([{ node: "child@test", state: "up", watches: 0 }]);
  });

  test("know of an end by kill -9 as of the loss of the connection, and nobody waits (70)", async () => {
    await using on = await two();
    const { kernel, child } = on;
    const { probe, got } = watch(kernel, 3);
    await probe.monitor(new ProcessName("echo", "child@test"));
    await probe.link(await probe.remoteSpawn("child@test", "echo"));
    await probe.monitorNode("child@test");
    child.kill("SIGSTOP");
    const asked = probe.call(new ProcessName("echo", "child@test"), 1).catch((error) => error);
    child.kill("SIGKILL");
    expect(await asked).toEqual(code("actor.no_connection"));
    for (const message of await got) expect((message as MessageDown).reason).toEqual(code("actor.no_connection"));
    expect(kernel.nodes()).toEqual([]);
  });

  test("know of an orderly stop by the ends of the processes", async () => {
    await using on = await two();
    const { probe, got } = watch(on.kernel, 2);
    await probe.monitor(new ProcessName("echo", "child@test"));
    await probe.monitorNode("child@test");
    on.child.stdin?.end();
    expect(await got).toMatchObject([
      { kind: "name", reason: "shutdown" },
      { kind: "node", target: "child@test" },
    ]);
    // Nothing keeps a process alive whose kernel has stopped.
    if (on.child.exitCode === null) await once(on.child, "exit");
    expect(on.child.exitCode).toBe(0);
  });

  test("leave a node that does not read with its own mail: what waits is bounded, and nothing is lost when it reads on", async () => {
    await using on = await two({ maxOutgoingBytes: 1_000_000 });
    const { kernel, child } = on;
    const echo = new ProcessName("echo", "child@test");
    child.kill("SIGSTOP");
    const filler = "x".repeat(10_000);
    let sent = 0;
    const flood = async (): Promise<void> => {
      for (; sent < 10_000; sent++) {
        kernel.send(echo, { n: sent, filler });
        if (sent % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await expect(flood()).rejects.toEqual(code("actor.link_full"));
    expect(kernel.nodes()[0]?.waitingBytes).toBeLessThan(1_100_000);
    child.kill("SIGCONT");
    while ((kernel.nodes()[0]?.waitingBytes ?? 0) > 500_000) await new Promise((resolve) => setTimeout(resolve, 5));
    const seen = (await kernel.call(echo, "seen", { timeoutMs: 20_000 })) as { n: number }[];
    expect(seen.map(({ n }) => n)).toEqual(Array.from({ length: sent }, (_, n) => n));
  });

  test("do not connect without a cookie, or with another one", async () => {
    const refused: unknown[] = [];
    const listening = createKernel({ name: "parent@test", network: { cookie } });
    await using server = await openGrpcServer(listening, { address: "127.0.0.1:0", onRefused: (error) => refused.push(error) });
    for (const network of [{}, { cookie: "guessed" }]) {
      const kernel = createKernel({ name: "stranger@test", network });
      await expect(kernel.connect(await dialGrpc(server.address))).rejects.toEqual(code("auth.unauthenticated"));
    }
    expect(listening.nodes()).toEqual([]);
    expect(refused.length).toBeGreaterThan(0);
    for (const error of refused) expect(error).toEqual(code("auth.unauthenticated"));
  });

  test("find each other by a route, and again after a loss", async () => {
    const listening = createKernel({ name: "b@test", network: { cookie } });
    listening.spawn(Probe, { name: "p" });
    await using server = await openGrpcServer(listening, { address: "127.0.0.1:0" });
    const kernel = createKernel({ name: "a@test", network: { cookie, resolve: () => dialGrpc(server.address) } });
    const p = new ProcessName("p", "b@test");
    expect(await kernel.call(p, 1)).toBe(1);
    kernel.disconnect("b@test");
    expect(await kernel.call(p, 2)).toBe(2);
    await kernel.stop();
    await listening.stop();
  });
});

describe("a server for links", () => {
  test("refuses an address that is none, one that is taken, and options that it does not know", async () => {
    const kernel = createKernel({ name: "a@test" });
    for (const address of ["", "localhost", "unix:", "/path", 80 as never]) {
      await expect(openGrpcServer(kernel, { address })).rejects.toEqual(code("actor.incorrect"));
    }
    await expect(openGrpcServer(kernel, { address: "127.0.0.1:0", port: 1 } as never)).rejects.toEqual(code("actor.incorrect"));
    await using server = await openGrpcServer(kernel, { address: "127.0.0.1:0" });
    await expect(openGrpcServer(kernel, { address: server.address })).rejects.toEqual(code("node.port_in_use"));
    const gone = server.address;
    await server.close();
    await expect(dialGrpc(gone)).rejects.toEqual(code("node.unreachable"));
  });
});

describe("the package", () => {
  const loads = async (module: string): Promise<boolean> => {
    const program = `await import(${JSON.stringify(here(module))});
      const { createRequire } = await import("node:module");
      const loaded = Object.keys(createRequire(import.meta.url).cache);
      process.stdout.write(String(loaded.some((file) => file.includes("grpc-js"))));`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
      cwd: here("."),
    });
    return stdout === "true";
  };

  test("loads no gRPC by itself, its door for gRPC does", async () => {
    expect(await loads("../../src/index.ts")).toBe(false);
    expect(await loads("../../src/remote/grpc.ts")).toBe(true);
  });
});
