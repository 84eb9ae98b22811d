import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ExecItem } from "../../src/host/index.ts";
import { openHostNode, run, script, testFolder } from "../fixtures/host-control.ts";
import { errorOf, isAlive, until } from "../fixtures/until.ts";

/** Starts a child that lives for long and holds no pipe, tells both ids, and neither hears SIGTERM. */
const FAMILY = ["sh", "-c", `trap '' TERM; sleep 600 >/dev/null 2>&1 & echo "[$$,$!]"; while :; do sleep 1; done`];

async function allGone(pids: readonly number[]): Promise<void> {
  await until(`the processes ${pids} are gone`, async () => {
    const alive = await Promise.all(pids.map((pid) => isAlive(pid)));
    return !alive.includes(true);
  });
}

describe("M-64: a program is run", () => {
  test.each([0, 1, 7, 255])("M-64: the exit code %i is exact", async (code) => {
    const host = await openHostNode();
    const { exit } = await run(host, { argv: script(`process.exit(${code})`) });
    expect(exit).toEqual({ code, signal: null, timedOut: false, durationMs: expect.any(Number) });
  });

  test.each(["SIGKILL", "SIGTERM", "SIGABRT"])("M-64: the signal %s that ended it is exact", async (signal) => {
    const host = await openHostNode();
    const { exit } = await run(host, { argv: script(`process.kill(process.pid, "${signal}"); setInterval(() => {}, 1000)`) });
    expect(exit).toMatchObject({ code: null, signal, timedOut: false });
  });

  test("M-64: stdout and stderr come while it runs, each told apart", async () => {
    const host = await openHostNode();
    const file = join(await testFolder(), "go");
    const argv = script(`
      const { existsSync } = require("node:fs");
      console.log("out"); console.error("err");
      const timer = setInterval(() => { if (existsSync(${JSON.stringify(file)})) { console.log("done"); clearInterval(timer); } }, 5);
    `);
    const seen: string[] = [];
    for await (const item of host.stream("exec", { argv }) as AsyncIterable<ExecItem>) {
      if ("exit" in item) continue;
      seen.push(`${item.stream} ${item.data.trim()}`);
      // It goes on only when both have been read here.
      if (seen.length === 2) await writeFile(file, "");
    }
    expect(seen.slice(0, 2).sort()).toEqual(["stderr err", "stdout out"]);
    expect(seen[2]).toBe("stdout done");
  });

  test("M-64: stdin is passed on to its end, text and bytes", async () => {
    const host = await openHostNode();
    expect((await run(host, { argv: ["cat"], stdin: "grüße\n" })).stdout.toString()).toBe("grüße\n");
    const bytes = Buffer.from([0, 255, 10, 128]);
    const back = await run(host, { argv: ["cat"], stdin: bytes.toString("base64"), stdinEncoding: "base64" });
    expect(back.stdout).toEqual(bytes);
    expect((await run(host, { argv: ["cat"] })).stdout).toHaveLength(0);
  });

  test("M-64: a program that does not read its stdin ends as it wants to", async () => {
    const host = await openHostNode();
    expect((await run(host, { argv: ["true"], stdin: "x".repeat(1_000_000) })).exit.code).toBe(0);
  });

  test("M-64: every byte of the output arrives, whatever it is, and whole characters as text", async () => {
    const host = await openHostNode();
    const argv = script(`for (let i = 0; i < 256; i++) process.stdout.write(Buffer.from([i, 0xe2, 0x82, 0xac]));`);
    const expected = Buffer.concat(Array.from({ length: 256 }, (_, i) => Buffer.from([i, 0xe2, 0x82, 0xac])));
    expect((await run(host, { argv })).stdout).toEqual(expected);
    expect((await run(host, { argv, encoding: "base64" })).stdout).toEqual(expected);
    const euro = script(`
      process.stdout.write(Buffer.from([0xe2]));
      setImmediate(() => process.stdout.write(Buffer.from([0x82, 0xac])));
    `);
    const items = (await host.call("exec", { argv: euro })) as ExecItem[];
    expect(items.slice(0, -1)).toEqual([{ stream: "stdout", data: "€", encoding: "utf8" }]);
  });

  test("M-64: arguments reach it as they are: no shell reads them", async () => {
    const host = await openHostNode();
    const words = ["$HOME", "a b", "; echo no", "`id`", "*", "", "--", "-x"];
    const { stdout } = await run(host, {
      argv: [...script("console.log(JSON.stringify(process.argv.slice(1)))"), "--", ...words],
    });
    expect(JSON.parse(stdout.toString())).toEqual(words);
  });

  test("M-64: it has its working folder, its variables, and none of the node's own", async () => {
    process.env.METANODE_TEST_OWN = "the node's";
    try {
      const host = await openHostNode();
      const cwd = await testFolder();
      const argv = script(
        "console.log(JSON.stringify([process.cwd(), process.env.GIVEN, process.env.METANODE_TEST_OWN ?? null]))",
      );
      const { stdout } = await run(host, { argv, cwd, env: { GIVEN: "x" } });
      expect(JSON.parse(stdout.toString())).toEqual([cwd, "x", null]);
    } finally {
      delete process.env.METANODE_TEST_OWN;
    }
  });

  test("M-64: a program or a folder that is not there is resource.not_found; a malformed call is message.schema", async () => {
    const host = await openHostNode();
    const none = await errorOf(run(host, { argv: ["no-such-program-here"] }));
    expect(none).toMatchObject({ code: "resource.not_found", message: expect.stringContaining("no-such-program-here") });
    expect(await errorOf(run(host, { argv: ["/"] }))).toMatchObject({ code: "resource.not_found" });
    expect(await errorOf(run(host, { argv: ["true"], cwd: "/no/such/folder" }))).toMatchObject({ code: "resource.not_found" });
    for (const data of [
      { argv: [] },
      { argv: "ls" },
      { argv: ["ls", "a\0b"] },
      { argv: ["ls"], shell: true },
      { argv: ["ls"], cwd: "x" },
    ])
      expect(await errorOf(run(host, data))).toMatchObject({ code: "message.schema" });
  });

  test("M-64: limits of the operating system hold it", async () => {
    const host = await openHostNode();
    const open = await run(host, { argv: ["sh", "-c", "ulimit -n"], limits: { openFiles: 17 } });
    expect(open.stdout.toString()).toBe("17\n");
    const memory = await run(host, { argv: ["sh", "-c", "ulimit -v"], limits: { memoryBytes: 512 * 1_024 * 1_024 } });
    expect(memory.stdout.toString()).toBe(`${512 * 1_024}\n`);
    const cpu = await run(host, { argv: ["sh", "-c", "while :; do :; done"], limits: { cpuSeconds: 1 } });
    expect(cpu.exit).toMatchObject({ code: null, signal: "SIGXCPU", timedOut: false });
  });

  test("M-64: limits without prlimit are call.unsupported", async () => {
    const host = await openHostNode();
    const { PATH } = process.env;
    process.env.PATH = "/nowhere";
    try {
      const refused = errorOf(run(host, { argv: ["/bin/true"], limits: { openFiles: 20 } }));
      expect(await refused).toMatchObject({ code: "call.unsupported" });
    } finally {
      process.env.PATH = PATH;
    }
  });
});

describe("M-64: a program is ended", () => {
  test("M-64: a timeout kills the whole process group", async () => {
    const host = await openHostNode();
    const { stdout, exit } = await run(host, { argv: FAMILY, timeoutMs: 1_500, graceMs: 100 });
    expect(exit).toMatchObject({ code: null, signal: "SIGKILL", timedOut: true });
    expect(exit.durationMs).toBeGreaterThanOrEqual(1_500);
    await allGone(JSON.parse(stdout.toString()) as number[]);
  });

  test("M-64: a timeout asks first: a program that heeds SIGTERM ends by itself", async () => {
    const host = await openHostNode();
    const argv = ["sh", "-c", "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done"];
    const { stdout, exit } = await run(host, { argv, timeoutMs: 2_000, graceMs: 20_000 });
    expect(stdout.toString()).toBe("up\nbye\n");
    expect(exit).toMatchObject({ code: 7, signal: null, timedOut: true });
  });

  test("M-64: a withdrawn call kills the whole group", async () => {
    const host = await openHostNode();
    const caller = new AbortController();
    let pids: number[] = [];
    const reading = (async () => {
      const items = host.stream("exec", { argv: FAMILY, graceMs: 100 }, { signal: caller.signal }) as AsyncIterable<ExecItem>;
      for await (const item of items) {
        if ("exit" in item) continue;
        pids = JSON.parse(item.data) as number[];
        caller.abort();
      }
    })();
    expect(await errorOf(reading)).toMatchObject({ code: "call.cancelled" });
    await allGone(pids);
    await until("the attempt is written down", () => host.attempts.length === 1);
    expect(host.attempts[0]).toMatchObject({ verb: "exec", allowed: true, code: "call.cancelled" });
  });

  test("M-64: a reader who leaves, and a deadline that passes, kill it as well", async () => {
    const host = await openHostNode();
    let pids: number[] = [];
    for await (const item of host.stream("exec", { argv: FAMILY, graceMs: 100 }) as AsyncIterable<ExecItem>) {
      if (!("exit" in item)) pids = JSON.parse(item.data) as number[];
      break;
    }
    await allGone(pids);
    const file = join(await testFolder(), "pids");
    const [shell, flag, text] = FAMILY as [string, string, string];
    const argv = [shell, flag, text.replace("echo", () => `echo "[$$,$!]" > "${file}"; echo`)];
    expect(await errorOf(run(host, { argv, graceMs: 100 }, { timeoutMs: 1_500 }))).toMatchObject({ code: "call.deadline" });
    await allGone(JSON.parse(await readFile(file, "utf8")) as number[]);
  });

  test("M-64: what it leaves behind in its group ends with it", async () => {
    const host = await openHostNode();
    const { stdout, exit } = await run(host, { argv: ["sh", "-c", "sleep 600 & echo $!"], graceMs: 100 });
    expect(exit).toMatchObject({ code: 0 });
    await allGone([Number(stdout.toString())]);
  });

  test("M-64: what has left its group cannot hold up the end by the pipes", async () => {
    const host = await openHostNode();
    const { stdout, exit } = await run(host, { argv: ["sh", "-c", "setsid sleep 600 & echo $!"], graceMs: 50 });
    expect(exit).toMatchObject({ code: 0 });
    process.kill(Number(stdout.toString()), "SIGKILL");
  });

  test("M-64: the end of the node ends it", async () => {
    const host = await openHostNode();
    const pids: number[][] = [];
    const reading = (async () => {
      for await (const item of host.stream("exec", { argv: FAMILY }) as AsyncIterable<ExecItem>)
        if (!("exit" in item)) pids.push(JSON.parse(item.data) as number[]);
    })();
    await until("the program runs", () => pids.length === 1);
    const ended = errorOf(reading);
    await host.node.close();
    expect(await ended).toMatchObject({ code: "node.closed" });
    await allGone(pids[0] as number[]);
  });

  test("M-64: the end of the node does not wait for a reader who has stopped reading", async () => {
    const host = await openHostNode();
    const items = host.stream("exec", { argv: ["yes"] })[Symbol.asyncIterator]();
    await items.next();
    await host.node.close();
    expect(
      await errorOf(
        (async () => {
          while (!(await items.next()).done);
        })(),
      ),
    ).toMatchObject({ code: "node.closed" });
  });

  test("M-64: a node that drains lets it finish", async () => {
    const host = await openHostNode();
    const file = join(await testFolder(), "go");
    const argv = script(`
      console.log("up");
      const timer = setInterval(() => { if (require("node:fs").existsSync(${JSON.stringify(file)})) { clearInterval(timer); process.exitCode = 7; } }, 5);
    `);
    let drained: Promise<void> | undefined;
    for await (const item of host.stream("exec", { argv }) as AsyncIterable<ExecItem>) {
      if ("exit" in item) expect(item.exit).toMatchObject({ code: 7, signal: null });
      else {
        drained = host.node.drain({ graceMs: 20_000 });
        await writeFile(file, "");
      }
    }
    await drained;
  });

  test("M-64: one more than may run at a time is refused, until one has ended", async () => {
    const host = await openHostNode({ maxPrograms: 1 });
    for await (const item of host.stream("exec", { argv: ["yes"], graceMs: 100 }) as AsyncIterable<ExecItem>) {
      expect(item).toHaveProperty("stream");
      expect(await errorOf(run(host, { argv: ["true"] }))).toMatchObject({ code: "call.resource_exhausted", retryable: true });
      break;
    }
    await until("the place is free", () => run(host, { argv: ["true"] }).catch(() => false));
  });
});

describe("M-64: a reader that is slow", () => {
  test("M-64: stops the program, memory stays bounded, and nothing is lost", async () => {
    const host = await openHostNode();
    const file = join(await testFolder(), "written");
    const total = 64 * 1_024 * 1_024;
    const argv = script(`
      const { writeFileSync } = require("node:fs");
      const block = Buffer.alloc(65536, "x");
      let written = 0;
      (function more() {
        while (written < ${total}) {
          written += block.length;
          if (!process.stdout.write(block)) { writeFileSync(${JSON.stringify(file)}, String(written)); return process.stdout.once("drain", more); }
        }
      })();
    `);
    const items = (host.stream("exec", { argv }) as AsyncIterable<ExecItem>)[Symbol.asyncIterator]();
    const first = (await items.next()).value as Extract<ExecItem, { data: string }>;
    // It waits when the same number stands there for many looks, in which it could have written all of it.
    let last = "";
    let looks = 0;
    await until("the program waits for its reader", async () => {
      const now = await readFile(file, "utf8").catch(() => "");
      looks = now !== "" && now === last ? looks + 1 : 0;
      last = now;
      return looks > 50;
    });
    expect(Number(last)).toBeLessThan(2 * 1_024 * 1_024);
    let bytes = first.data.length;
    for (let next = await items.next(); !next.done; next = await items.next()) {
      if ("exit" in next.value) expect(next.value.exit.code).toBe(0);
      else bytes += next.value.data.length;
    }
    expect(bytes).toBe(total);
  });

  test("M-64: who wants an endless answer in one message is told to stream, and the program ends", async () => {
    const host = await openHostNode();
    const file = join(await testFolder(), "pid");
    const argv = ["sh", "-c", `echo $$ > "${file}"; exec yes`];
    expect(await errorOf(host.call("exec", { argv, graceMs: 100 }))).toMatchObject({
      code: "message.too_large",
      message: expect.stringContaining("stream"),
    });
    await allGone([Number(await readFile(file, "utf8"))]);
  });

  test("M-64: loses nothing of a program that has ended long ago, whatever its grace", async () => {
    const host = await openHostNode();
    const items = (
      host.stream("exec", {
        argv: ["sh", "-c", "echo $$; head -c 300000 /dev/zero; echo end >&2"],
        graceMs: 0,
      }) as AsyncIterable<ExecItem>
    )[Symbol.asyncIterator]();
    const first = (await items.next()).value as Extract<ExecItem, { data: string }>;
    const pid = Number.parseInt(first.data, 10);
    let looks = 0;
    await until("it has ended, and time has passed", async () => ++looks > 50 && !(await isAlive(pid)));
    const parts = { stdout: first.data, stderr: "" };
    let exit: unknown;
    for (let next = await items.next(); !next.done; next = await items.next()) {
      if ("exit" in next.value) exit = next.value.exit.code;
      else parts[next.value.stream] += next.value.data;
    }
    expect(parts.stdout).toHaveLength(300_000 + String(pid).length + 1);
    expect([parts.stderr, exit]).toEqual(["end\n", 0]);
  });
});
