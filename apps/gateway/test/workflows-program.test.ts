import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test, vi } from "vitest";
import { openWarehouse } from "./fixtures/warehouse.ts";
import { JSON_BODY, type TempFolder, tempFolder } from "./harness.ts";
import { clientOf, startProgram } from "./program.ts";

const FLOW = fileURLToPath(new URL("./fixtures/emall.flow.ts", import.meta.url));

function workplace(nature: object | undefined): TempFolder {
  const folder = tempFolder();
  writeFileSync(
    folder.file("metanode.yaml"),
    JSON.stringify({ listen: { port: 0 }, log: { level: "silent" }, ...(nature === undefined ? {} : { nature }) }),
  );
  return folder;
}

/** Files that a process has mapped or open, where the system tells. */
function filesOf(pid: number | undefined): string {
  return readFileSync(`/proc/${pid}/maps`, "utf8");
}

describe("the program", () => {
  test("goes on with its workflows after kill -9: nothing that was accepted is lost", async () => {
    using folder = workplace({ flows: [FLOW] });
    await using warehouse = await openWarehouse();
    const send = (method: string, path: string, body: object): Promise<Response> =>
      clientOf(folder)(path, { method, headers: JSON_BODY, body: JSON.stringify(body) });
    {
      await using first = startProgram(folder);
      await first.ready;
      warehouse.answer = "";
      const relation = `/relations/${encodeURIComponent("B:third/waybill:1")}/${encodeURIComponent("B:sale/orderSign:1")}`;
      const settings = { executor: { protocol: "http", url: warehouse.url } };
      expect((await send("PUT", relation, { settings })).status).toBe(200);
      expect((await send("POST", "/instances", { meta: "B:third/waybill:1", id: "7", para: "kept" })).status).toBe(201);
      await vi.waitFor(() => expect(warehouse.requests).toHaveLength(1), 10_000);
      first.child.kill("SIGKILL");
      expect(await first.exited).toBe("SIGKILL");
    }
    warehouse.answer = '{"type":"Instances","ins":[{"data":{"content":"signed"}}]}';
    await using second = startProgram(folder);
    await second.ready;
    const client = clientOf(folder);
    await vi.waitFor(
      async () => {
        const page = await client(`/instances?meta=${encodeURIComponent("B:sale/orderSign:1")}`);
        const { items } = (await page.json()) as { items: object[] };
        const signed = { content: "signed", from: { meta: "B:third/waybill:1", id: "7", para: "kept", version: 0 } };
        expect(items).toContainEqual(expect.objectContaining(signed));
      },
      { timeout: 15_000, interval: 50 },
    );
  });

  test.runIf(existsSync("/proc/self/maps"))(
    "loads nothing of workflows and makes no database where they are not enabled (skipped without /proc)",
    async () => {
      using without = workplace(undefined);
      await using plain = startProgram(without);
      await plain.ready;
      expect(filesOf(plain.child.pid)).not.toContain("libsql");
      expect(existsSync(without.file(".metanode/nature/nature.sqlite"))).toBe(false);
      using within = workplace({});
      await using hosting = startProgram(within);
      await hosting.ready;
      expect(filesOf(hosting.child.pid)).toContain("libsql");
      expect(existsSync(within.file(".metanode/nature/nature.sqlite"))).toBe(true);
    },
  );

  test("ends in one line where a file of flows is wrong", async () => {
    using folder = workplace({ flows: ["flows.ts"] });
    await using missing = startProgram(folder);
    expect(await missing.exited).toBe(2);
    expect(missing.stderr()).toMatch(/^error config\.invalid: the file of flows .*flows\.ts cannot be loaded: [^\n]+\n$/);
    writeFileSync(folder.file("flows.ts"), "export const nothing = 1;\n");
    await using empty = startProgram(folder);
    expect(await empty.exited).toBe(2);
    expect(empty.stderr()).toMatch(/exports no flow; export what `defineFlow/);
  });
});
