import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, statfs, writeFile } from "node:fs/promises";
import * as os from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, onTestFinished, test } from "vitest";
import { type HostFacts, type HostLabels, hostControl, hostId } from "../../src/host/index.ts";
import { createNode } from "../../src/node/node.ts";
import { openHostNode, testFolder } from "../fixtures/host-control.ts";
import { errorOf, until } from "../fixtures/until.ts";

function near(found: number, expected: number): void {
  expect(Math.abs(found - expected)).toBeLessThanOrEqual(expected * 0.05);
}

describe("M-63: the facts of a host", () => {
  test("M-63: are those that the system itself gives, within 5 %", async () => {
    const host = await openHostNode();
    // Memory that others take between two readings is no mistake of ours: once it must fit.
    await until("facts and system agree", async () => {
      const facts = (await host.call("facts")) as HostFacts;
      const info = await readFile("/proc/meminfo", "utf8");
      const bytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(info)?.[1]) * 1_024;
      const pairs = [
        [facts.memory.totalBytes, bytes("MemTotal")],
        [facts.memory.freeBytes, bytes("MemFree")],
        [facts.memory.availableBytes, bytes("MemAvailable")],
        [facts.uptimeMs, os.uptime() * 1_000],
      ] as const;
      return pairs.every(([found, expected]) => Math.abs(found - expected) <= expected * 0.05);
    });
    const facts = (await host.call("facts")) as HostFacts;
    expect(facts).toMatchObject({
      os: os.platform(),
      release: os.release(),
      arch: os.arch(),
      hostname: os.hostname(),
      cpus: { count: os.cpus().length },
      labels: {},
      labelsRevision: 0,
      processes: [],
    });
    expect(facts.load).toHaveLength(3);
    expect(facts.disks).toHaveLength(2);
    expect(facts.disks[0]?.path).toBe("/");
    for (const disk of facts.disks) {
      const { bsize, blocks, bavail } = await statfs(disk.path);
      near(disk.totalBytes, bsize * blocks);
      near(disk.availableBytes, bsize * bavail);
    }
  });

  test("M-63: name the processes of interest, with their time and memory", async () => {
    const host = await openHostNode({ processes: ["sleep", "no-such-program"] });
    const child = spawn("sleep", ["600"], { stdio: "ignore" });
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child, "spawn");
    const found = await until("the process is among the facts", async () =>
      ((await host.call("facts")) as HostFacts).processes.find(({ pid }) => pid === child.pid),
    );
    const status = await readFile(`/proc/${child.pid}/status`, "utf8");
    expect(found.name).toBe("sleep");
    near(found.rssBytes, Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1_024);
    expect(found.cpuMs).toBeLessThan(1_000);
  });

  test("M-66: two nodes on one host tell the same host, and not its machine id", async () => {
    const [one, other] = [await openHostNode(), await openHostNode()];
    const id = ((await one.call("facts")) as HostFacts).hostId;
    expect(id).toBe(((await other.call("facts")) as HostFacts).hostId);
    expect(id).toBe(hostId());
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(id).not.toBe((await readFile("/etc/machine-id", "utf8").catch(() => "")).trim());
  });

  test("M-60: a node without the module has no such types", async () => {
    const node = await createNode({ logger: pino({ level: "silent" }) });
    onTestFinished(() => node.close());
    expect(await errorOf(node.call({ type: "metanode.host.facts" }))).toMatchObject({ code: "message.unknown_type" });
  });
});

describe("M-63: labels", () => {
  test("M-63: are edited with a revision, kept over a restart, and every edit is told of once", async () => {
    const folder = await testFolder();
    const rules = [{ verbs: ["labels"] }] as const;
    const open = async () => {
      const module = hostControl({ rules });
      return { module, node: await createNode({ logger: pino({ level: "silent" }), folder, modules: [module] }) };
    };
    const { module, node } = await open();
    const changes: HostLabels[] = [];
    const stop = module.onChange((labels) => changes.push(labels));
    const edit = (data: object): Promise<unknown> => node.call({ type: "metanode.host.labels", data });
    expect(await edit({})).toEqual({ labels: {}, revision: 0 });
    expect(await edit({ set: { zone: "eu", rack: "7" }, revision: 0 })).toEqual({
      labels: { rack: "7", zone: "eu" },
      revision: 1,
    });
    expect(await edit({ set: { zone: "eu" } })).toMatchObject({ revision: 1 });
    expect(await edit({ remove: ["rack", "none"], set: { "app/tier": "web" } })).toEqual({
      labels: { "app/tier": "web", zone: "eu" },
      revision: 2,
    });
    expect(changes.map(({ revision }) => revision)).toEqual([1, 2]);
    expect(((await node.call({ type: "metanode.host.facts" })) as HostFacts).labels).toEqual({ "app/tier": "web", zone: "eu" });
    stop();
    await edit({ set: { zone: "us" } });
    expect(changes).toHaveLength(2);
    await node.close();
    expect(() => module.labels()).toThrow(expect.objectContaining({ code: "node.closed" }));
    const again = await open();
    onTestFinished(() => again.node.close());
    expect(again.module.labels()).toEqual({ labels: { "app/tier": "web", zone: "us" }, revision: 3 });
  });

  test("M-63: an edit for another revision is state.conflict and changes nothing", async () => {
    const host = await openHostNode();
    await host.call("labels", { set: { zone: "eu" } });
    const error = await errorOf(host.call("labels", { set: { zone: "us" }, revision: 0 }));
    expect(error).toMatchObject({ code: "state.conflict", details: { revision: 1 } });
    expect(host.module.labels()).toEqual({ labels: { zone: "eu" }, revision: 1 });
    for (const data of [{ set: { "": "x" } }, { set: { zone: 7 } }, { set: { zone: "a\nb" } }, { put: {} }])
      expect(await errorOf(host.call("labels", data))).toMatchObject({ code: "message.schema" });
  });

  test("M-63: a file of labels that cannot be read stops the start, and says what to do", async () => {
    const folder = await testFolder();
    await writeFile(join(folder, "labels.json"), "{");
    const error = await errorOf(createNode({ logger: pino({ level: "silent" }), folder, modules: [hostControl()] }));
    expect(error).toMatchObject({ code: "config.invalid", message: expect.stringMatching(/labels\.json.*delete it/) });
  });
});
