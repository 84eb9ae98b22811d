import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, statfs } from "node:fs/promises";
import * as os from "node:os";
import { pino } from "pino";
import { describe, expect, onTestFinished, test } from "vitest";
import { type HostFacts, hostId } from "../../src/host/index.ts";
import { createNode } from "../../src/node/node.ts";
import { openHostNode } from "../fixtures/host-control.ts";
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
