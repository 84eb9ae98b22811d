import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createStage } from "@metanode/actors/testing";
import { type Gateway, openGateway } from "@metanode/gateway";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { audit } from "../src/audit.ts";
import { readLockfile } from "../src/lockfile.ts";
import { type Totals, tellTotals } from "../src/news.ts";
import { countsOf } from "../src/report.ts";
import { Tally, totalsActor } from "../src/totals.ts";
import { Command, fixture, temporaryFolder } from "./command.ts";

const get = async (url: string): Promise<Totals> => (await fetch(url)).json() as Promise<Totals>;

/** A node with a tally on a free port; with inspectors where that is wanted. */
async function openNode(processes = 0, port = 0): Promise<Gateway> {
  const file = fileURLToPath(new URL("../src/processor.ts", import.meta.url));
  const gateway = await openGateway({
    name: "totals",
    data: temporaryFolder(),
    listen: { port: 0 },
    log: { level: "silent" },
    processors: processes === 0 ? [] : [{ name: "lockfile-inspector", file, processes }],
    actors: [totalsActor(port)],
  });
  onTestFinished(() => gateway.close());
  return gateway;
}

describe("the running totals of an audit", () => {
  test("are answered over HTTP while it runs", async () => {
    const file = join(temporaryFolder(), "package-lock.json");
    const names = Array.from({ length: 20_000 }, (_, index) => `node_modules/tea-${index}`);
    const packages = Object.fromEntries(names.map((name) => [name, { version: "1.0.0", license: "MIT" }]));
    writeFileSync(file, JSON.stringify({ lockfileVersion: 3, packages }));
    const command = new Command("--port", "0", "--data", temporaryFolder(), file);
    const [, url = ""] = await command.says(/^running totals at (http:\/\/127\.0\.0\.1:\d+)$/m);
    await command.says(/^inspected 4000 of 20000/m);
    const during = await get(url);
    expect(during).toMatchObject({ file, packages: 20_000, errors: 0 });
    expect(during.inspected).toBeGreaterThanOrEqual(4_000);
    await command.says(/node is up at/);
    expect(await get(url)).toMatchObject({ inspected: 20_000, licenses: { permissive: 20_000 } });
    command.signal("SIGINT");
    expect(await command.ended()).toMatchObject({ status: 0 });
    await expect(fetch(url)).rejects.toThrow();
  });

  test("add up to what the audit found, and are the same by message", async () => {
    const { node } = await openNode(1);
    const lockfile = await readLockfile(fixture("v3"));
    tellTotals(node, { type: "audit.begun", data: { file: lockfile.file, packages: lockfile.packages.length } });
    const result = await audit(node, lockfile, { onOutcome: (data) => tellTotals(node, { type: "audit.inspected", data }) });
    const totals = await node.call({ type: "audit.totals" });
    const { packages, licenses, integrity } = countsOf(result);
    expect(totals).toMatchObject({ file: lockfile.file, packages, inspected: packages, errors: 0, licenses, integrity });
    expect(await get(String(await node.call({ type: "audit.address" })))).toEqual(totals);
  });

  test("outlive the death of their tally: the door stays open, and a new tally begins to count", async () => {
    const { node, actors } = await openNode();
    const url = String(await node.call({ type: "audit.address" }));
    tellTotals(node, { type: "audit.begun", data: { file: "a", packages: 2 } });
    expect(await get(url)).toMatchObject({ packages: 2 });
    const first = actors.kernel.whereIs("tally") ?? expect.fail("there is no tally");
    actors.kernel.kill(first);
    await vi.waitFor(async () => expect(await get(url)).toMatchObject({ packages: 0, inspected: 0 }), 10_000);
    tellTotals(node, { type: "audit.begun", data: { file: "b", packages: 3 } });
    expect(await get(url)).toMatchObject({ file: "b", packages: 3 });
    expect(node.health().status).toBe("ok");
  });

  test("are no part of the audit: where their port is taken it says so, and the audit is complete", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void taken.close());
    await new Promise((resolve) => taken.once("listening", resolve));
    const { port } = taken.address() as { port: number };
    const command = new Command(
      "--once",
      "--json",
      "--port",
      "0",
      "--totals-port",
      String(port),
      "--data",
      temporaryFolder(),
      fixture("v2"),
    );
    const { status, stdout, stderr } = await command.ended();
    expect(stderr).toMatch(/^no running totals: actor totals is down: .* is in use/m);
    expect({ status, packages: JSON.parse(stdout).counts.packages }).toEqual({ status: 0, packages: 5 });
  });
});

describe("a tally, on a stage", () => {
  test("counts what it hears, errors apart, and sends nothing to anybody", async () => {
    await using stage = createStage();
    const tally = await stage.spawn(Tally);
    const where = { name: "tea", version: "1.0.0", path: "node_modules/tea" };
    const finding = { kind: "install_script", ...where, text: "runs a script" } as const;
    const inspection = {
      ...where,
      license: { kind: "permissive", expression: "MIT", isValid: true },
      hasInstallScript: true,
      integrity: "sha512",
      engines: { node: null, excludesNode: false },
      findings: [finding],
    } as const;
    await tally.tell({ type: "audit.begun", data: { file: "f", packages: 3 } });
    await tally.tell({ type: "audit.inspected", data: inspection });
    await tally.tell({ type: "audit.inspected", data: inspection });
    await tally.tell({ type: "audit.inspected", data: { ...finding, kind: "error" } });
    expect(await tally.ask({ type: "audit.totals" })).toEqual({
      file: "f",
      packages: 3,
      inspected: 3,
      errors: 1,
      licenses: { permissive: 2 },
      integrity: { sha512: 2 },
      findings: { install_script: 2 },
    });
    expect(await stage.kernel.inspect(tally.address)).toEqual({ inspected: "3 of 3", file: "f" });
    expect(stage.actions).toEqual([]);
  });
});
