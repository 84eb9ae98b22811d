import { spawn, spawnSync } from "node:child_process";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { functionAction, MemoryProgress } from "../../src/index.ts";
import { range } from "../run/counting.ts";
import { Keeper, runInARow, testFolder, turns } from "./graphs.ts";

const isThere = spawnSync("nats-server", ["--version"]).status === 0;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startNats(): Promise<{ readonly url: string } & AsyncDisposable> {
  const folder = await testFolder();
  const port = await freePort();
  const child = spawn("nats-server", ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", folder.path], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  await new Promise<void>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`nats-server ended with ${code}`)));
    child.stderr.on("data", (chunk) => String(chunk).includes("Server is ready") && resolve());
  });
  const dispose = async (): Promise<void> => {
    const isOver = new Promise((resolve) => child.once("exit", resolve));
    child.kill();
    await isOver;
    await folder[Symbol.asyncDispose]();
  };
  return { url: `nats://127.0.0.1:${port}`, [Symbol.asyncDispose]: dispose };
}

describe.skipIf(!isThere)("NATS (skipped where nats-server is not on the PATH)", () => {
  let server: Awaited<ReturnType<typeof startNats>>;

  beforeAll(async () => {
    server = await startNats();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  async function addStream(name: string): Promise<void> {
    const connection = await connect({ servers: server.url });
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name, subjects: [`${name}.>`] });
    await connection.close();
  }

  test("stores each record once, although it is written again, and gives them in order", async () => {
    await addStream("one");
    const write = { action: "nats.write", with: { url: server.url, subject: "one.numbers" } };
    const numbers = { action: "generate", with: { count: 3_000 } };
    for (let times = 0; times < 2; times++) expect((await (await runInARow({ numbers, write })).ended).outcome).toBe("completed");
    const kept = new Keeper();
    const read = { action: "nats.read", with: { url: server.url, stream: "one", subject: "one.>", give: "json" } };
    const run = await runInARow({ read, keep: kept.node });
    await kept.has(3_000);
    await turns(50);
    await run.drain();
    expect(kept.records).toEqual(range(3_000));
  });

  test("gives a stream again from where a run was cut off, and loses nothing", async () => {
    await addStream("two");
    const numbers = { action: "generate", with: { count: 4_000 } };
    await (await runInARow({ numbers, write: { action: "nats.write", with: { url: server.url, subject: "two.numbers" } } }))
      .ended;
    const progress = new MemoryProgress();
    const seen = new Map<string, unknown>();
    let left = 1_500;
    const half = functionAction(async (record: unknown, { id }) => {
      if (left-- <= 0) return new Promise<void>(() => undefined);
      seen.set(id, record);
    });
    const read = { action: "nats.read", with: { url: server.url, stream: "two", subject: "two.>", give: "json" } };
    const first = await runInARow({ read, half: { does: half } }, { progress, commitMs: 1, credit: { maxRecords: 800 } });
    while (left > 0) await turns(1);
    await first.close();
    const through = (await progress.load()).sources.get("read")?.sequence ?? 0;
    const kept = new Keeper();
    const second = await runInARow({ read, keep: kept.node }, { progress });
    await kept.has(4_000 - through);
    await second.drain();
    for (const [index, id] of kept.ids.entries()) {
      expect(seen.get(id) ?? kept.records[index]).toBe(kept.records[index]);
      seen.set(id, kept.records[index]);
    }
    expect([...seen.values()].map(Number).sort((a, b) => a - b)).toEqual(range(4_000));
  });

  test("gives messages as they come where no stream keeps them", async () => {
    const kept = new Keeper();
    const read = { action: "nats.read", with: { url: server.url, subject: "plain.*" } };
    const run = await runInARow({ read, keep: kept.node });
    const numbers = { action: "generate", with: { count: 100 } };
    const write = { action: "nats.write", with: { url: server.url, subject: "plain.numbers", jetstream: false } };
    await (await runInARow({ numbers, write })).ended;
    await kept.has(100);
    expect(kept.records).toEqual(range(100).map(String));
    await run.drain();
  });

  test("gives records up that no stream stores", async () => {
    const dead: unknown[] = [];
    const numbers = { action: "generate", with: { count: 1 } };
    const write = { action: "nats.write", with: { url: server.url, subject: "nowhere" }, attempts: 1 };
    const run = await runInARow({ numbers, write }, { onDeadLetter: async ({ error }) => void dead.push(error) });
    expect((await run.ended).outcome).toBe("completed");
    expect(dead).toMatchObject([{ code: "stream.connector" }]);
  });

  test("leaves no consumer behind on the server", async () => {
    const connection = await connect({ servers: server.url });
    const manager = await jetstreamManager(connection);
    expect(await manager.consumers.list("one").next()).toEqual([]);
    await connection.close();
  });
});
