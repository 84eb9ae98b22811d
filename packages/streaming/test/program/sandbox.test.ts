import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { sandboxOf } from "../../src/program/sandbox.ts";
import { runPrograms, script } from "./tools.ts";

const canUnshare = sandboxOf({ name: "x" }).guards.includes("unshare");
const canLimit = spawnSync("prlimit", ["--version"]).status === 0;

/** The port of a server that anybody on this machine can reach. */
async function server(): Promise<number> {
  const listening = createServer((socket) => socket.end("hello")).listen(0, "127.0.0.1");
  await once(listening, "listening");
  onTestFinished(() => void listening.close());
  return (listening.address() as { port: number }).port;
}

const dial = (port: number): string[] =>
  script(`
    require("fs").readFileSync(0);
    const socket = require("net").connect(${port}, "127.0.0.1");
    socket.on("data", () => { console.log("reached"); socket.destroy(); });
    socket.on("error", ({ code }) => console.log(code));
  `);

describe("the sandbox of a program", () => {
  test.skipIf(!canUnshare)("has no network, unless its node allows it (skipped without namespaces of networks)", async () => {
    const port = await server();
    const { seen } = await runPrograms(["x"], { dial: { command: dial(port) } });
    expect(seen).toEqual([expect.stringMatching(/^E(NETUNREACH|CONNREFUSED|ADDRNOTAVAIL)$/)]);
    const allowed = await runPrograms(["x"], { dial: { command: dial(port), egress: "all" } });
    expect(allowed.seen).toEqual(["reached"]);
  });

  test.skipIf(!canLimit)("has the limits of its node (skipped without prlimit)", async () => {
    const limits = { openFiles: 32, cpuSeconds: 7, fileBytes: 4_096 };
    const { seen } = await runPrograms(["x"], {
      limits: { command: ["sh", "-c", "cat >/dev/null; ulimit -n; ulimit -t; ulimit -f"], limits },
    });
    expect(seen).toEqual(["32", "7", "8"]); // blocks of 512 bytes
  });

  test.skipIf(!canLimit)(
    "ends a program that uses more, and its record is given up on (skipped without prlimit)",
    async () => {
      const hungry = ["sh", "-c", "cat >/dev/null; while :; do :; done"];
      const stage = { command: hungry, limits: { cpuSeconds: 1 }, attempts: 1, backoffMs: [0] };
      const { letters } = await runPrograms(["x"], { stage });
      expect(letters).toMatchObject([
        { record: "x", error: { code: "stream.program", message: expect.stringMatching(/SIG(KILL|XCPU)/) } },
      ]);
    },
    20_000,
  );

  test("says what it cannot enforce", () => {
    const { missing } = sandboxOf({ name: "stage", egress: ["10.0.0.1"] });
    expect(missing).toEqual([expect.stringContaining("single addresses")]);
  });
});
