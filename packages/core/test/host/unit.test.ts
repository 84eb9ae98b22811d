import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Clock } from "../../src/clock.ts";
import type { HostUnit, UnitStatus } from "../../src/host/index.ts";
import { Unit } from "../../src/host/unit.ts";
import { type HostNode, openHostNode, script, testFolder } from "../fixtures/host-control.ts";
import { errorOf, isAlive, until } from "../fixtures/until.ts";

/** Never a systemd, whatever the machine of the test has. */
const systemdFolder = "/no/such/folder";

const FOREVER = script("setInterval(() => undefined, 1000); console.log('up')");

async function withUnits(...units: HostUnit[]): Promise<HostNode> {
  return openHostNode({ units, systemdFolder });
}

function ask(host: HostNode, unit: string, action: string): Promise<UnitStatus> {
  return host.call("unit", { unit, action }) as Promise<UnitStatus>;
}

describe("M-64: units that the node looks after", () => {
  test("M-64: are started, told of, restarted and stopped", async () => {
    const host = await withUnits({ name: "web", command: FOREVER });
    expect(await ask(host, "web", "status")).toEqual({ unit: "web", manager: "node", state: "stopped", restarts: 0 });
    const started = await ask(host, "web", "start");
    expect(started).toMatchObject({ state: "running", pid: expect.any(Number) });
    expect(await isAlive(started.pid as number)).toBe(true);
    expect((await ask(host, "web", "start")).pid).toBe(started.pid);
    const again = await ask(host, "web", "restart");
    expect(again.pid).not.toBe(started.pid);
    expect(await isAlive(started.pid as number)).toBe(false);
    const stopped = await ask(host, "web", "stop");
    expect(stopped).toEqual({
      unit: "web",
      manager: "node",
      state: "stopped",
      restarts: 0,
      exit: { code: null, signal: "SIGTERM" },
    });
    expect(await isAlive(again.pid as number)).toBe(false);
    const steps = host.node.journal.since(0, 100, ({ kind }) => kind === "processor");
    expect(steps.map(({ what, type }) => `${what} ${type}`)).toEqual([
      "web started",
      "web stopped",
      "web started",
      "web stopped",
    ]);
  });

  test("M-64: asked for at the same time, one runs and no second", async () => {
    const host = await withUnits({ name: "web", command: FOREVER });
    const all = await Promise.all(["start", "restart", "start", "stop", "start"].map((action) => ask(host, "web", action)));
    expect(all.map(({ state }) => state)).toEqual(["running", "running", "running", "stopped", "running"]);
    const alive = await Promise.all([...new Set(all.map(({ pid }) => pid ?? 0))].filter((pid) => pid > 0).map(isAlive));
    expect(alive.filter((one) => one)).toHaveLength(1);
  });

  test("M-64: asked for while it is about to be started again, one runs and no second", async () => {
    const timers: (() => void)[] = [];
    // Fires when it is told to, and in the same turn.
    const clock: Clock = {
      now: () => 0,
      setTimer: (_delayMs, callback) => {
        timers.push(callback);
        return { cancel: () => undefined };
      },
    };
    const file = join(await testFolder(), "was-here");
    const command = ["sh", "-c", 'test -e "$1" || { touch "$1"; exit 1; }; exec sleep 600', "sh", file];
    const spec = { name: "web", command, cwd: "/", env: {}, restart: "on-failure", autostart: false, graceMs: 1_000 } as const;
    const events: string[] = [];
    const unit = new Unit(spec, { clock, onEvent: (_name, event) => events.push(event) });
    onTestFinished(() => unit.kill());
    await unit.start();
    await until("it waits to be started again", () => unit.status.state === "backoff");
    const started = unit.start();
    timers.at(-1)?.();
    await started;
    await unit.restart();
    expect(events).toEqual(["started", "crashed", "started", "stopped", "started"]);
  });

  test("M-64: one that crashes is started again, and health says so until it is well", async () => {
    const file = join(await testFolder(), "runs");
    const command = script(`
      const { appendFileSync, readFileSync } = require("node:fs");
      appendFileSync(${JSON.stringify(file)}, "x");
      if (readFileSync(${JSON.stringify(file)}).length < 3) process.exit(7);
      setInterval(() => undefined, 1000);
    `);
    const host = await withUnits({ name: "web", command });
    await ask(host, "web", "start");
    await until("it waits to be started again", () => host.node.health().status === "degraded");
    const status = await until("it has come up", async () => {
      const now = await ask(host, "web", "status");
      return now.state === "running" && now.restarts === 2 ? now : undefined;
    });
    expect(status.exit).toEqual({ code: 7, signal: null });
    expect(host.node.health().status).toBe("ok");
    await until("the third life has begun", async () => (await readFile(file, "utf8")) === "xxx");
  });

  test("M-64: `restart` says what its end means", async () => {
    const host = await withUnits(
      { name: "job", command: ["true"] },
      { name: "broken", command: ["false"], restart: "never" },
      { name: "loop", command: ["true"], restart: "always" },
    );
    for (const name of ["job", "broken", "loop"]) await ask(host, name, "start");
    await until("the job is done", async () => (await ask(host, "job", "status")).state === "stopped");
    await until("the broken one has failed", async () => (await ask(host, "broken", "status")).state === "failed");
    await until("the loop goes on", async () => (await ask(host, "loop", "status")).restarts >= 2);
    expect(await ask(host, "loop", "stop")).toMatchObject({ state: "stopped" });
    expect(host.node.health().modules.host?.reasons).toEqual(["unit broken: failed, it ended with 1"]);
  });

  test("M-64: a stop ends the whole group, and one that hears nothing by force", async () => {
    const command = script(`
      process.on("SIGTERM", () => undefined);
      const child = require("node:child_process").spawn("sleep", ["600"], { stdio: "ignore" });
      console.log(child.pid);
      setInterval(() => undefined, 1000);
    `);
    const host = await withUnits({ name: "deaf", command, graceMs: 100 });
    await ask(host, "deaf", "start");
    const child = await until("it has said the id of its child", async () => {
      const [item] = (await host.call("log", { unit: "deaf" })) as { lines: string[] }[];
      return Number(item?.lines[0] ?? 0);
    });
    expect((await ask(host, "deaf", "stop")).exit).toEqual({ code: null, signal: "SIGKILL" });
    await until("its child is gone", async () => !(await isAlive(child)));
  });

  test("M-64: start with the node where they are to, and end with it", async () => {
    const host = await withUnits({ name: "web", command: FOREVER, autostart: true }, { name: "other", command: FOREVER });
    const { pid = 0 } = await ask(host, "web", "status");
    expect(await isAlive(pid)).toBe(true);
    expect((await ask(host, "other", "status")).state).toBe("stopped");
    await host.node.drain();
    expect(await isAlive(pid)).toBe(false);
  });

  test("M-64: one that cannot be started says why", async () => {
    const host = await withUnits({ name: "web", command: FOREVER, cwd: "/no/such/folder" });
    expect(await errorOf(ask(host, "web", "start"))).toMatchObject({ code: "processor.start" });
    expect(await ask(host, "web", "status")).toMatchObject({
      state: "failed",
      problem: expect.stringContaining("/no/such/folder"),
    });
  });

  test("M-64: an unknown one is resource.not_found; on a host without any, call.unsupported", async () => {
    expect(await errorOf(ask(await withUnits({ name: "web", command: FOREVER }), "db", "start"))).toMatchObject({
      code: "resource.not_found",
      message: expect.stringContaining("declared are web"),
    });
    const host = await withUnits();
    expect(await errorOf(ask(host, "web", "status"))).toMatchObject({ code: "call.unsupported" });
    expect(await errorOf(host.call("log", { unit: "web" }))).toMatchObject({ code: "call.unsupported" });
    expect(await errorOf(ask(host, "-x", "status"))).toMatchObject({ code: "message.schema" });
  });
});

/** A systemd of one unit, in a folder: real programs that speak as systemctl and journalctl do. */
const SYSTEMCTL = `#!/bin/sh
here=$(dirname "$0")
for unit; do :; done
[ "$1" = --no-ask-password ] && shift
case "$1:$unit" in
  show:web.service) printf 'LoadState=loaded\\nActiveState=%s\\nMainPID=%s\\nNRestarts=3\\n' "$(cat "$here/state")" 4711 ;;
  show:*) printf 'LoadState=not-found\\nActiveState=inactive\\nMainPID=0\\n' ;;
  stop:*) echo inactive > "$here/state" ;;
  start:*) echo active > "$here/state" ;;
  *) echo "Job for $unit failed." >&2; exit 1 ;;
esac
`;
const JOURNALCTL = `#!/bin/sh
echo "$@"
case "$*" in *--follow*) exec sleep 600 ;; esac
`;

describe("M-64: units of the host's own systemd", () => {
  test("M-64: are asked for through systemctl and journalctl; what the options declare comes first", async () => {
    const folder = await testFolder();
    await mkdir(join(folder, "booted"));
    await writeFile(join(folder, "state"), "active\n");
    for (const [name, text] of [
      ["systemctl", SYSTEMCTL],
      ["journalctl", JOURNALCTL],
    ] as const) {
      await writeFile(join(folder, name), text);
      await chmod(join(folder, name), 0o755);
    }
    const { PATH } = process.env;
    process.env.PATH = `${folder}:${PATH}`;
    try {
      const host = await openHostNode({ units: [{ name: "own", command: FOREVER }], systemdFolder: join(folder, "booted") });
      const running = { unit: "web.service", manager: "systemd", state: "running", restarts: 3, pid: 4_711 };
      expect(await ask(host, "web.service", "status")).toEqual(running);
      expect(await ask(host, "web.service", "stop")).toMatchObject({ state: "stopped" });
      expect(await ask(host, "web.service", "start")).toEqual(running);
      expect(await errorOf(ask(host, "web.service", "restart"))).toMatchObject({
        code: "processor.failed",
        message: "systemctl restart web.service ended with 1: Job for web.service failed.",
      });
      expect(await errorOf(ask(host, "db.service", "start"))).toMatchObject({ code: "resource.not_found" });
      expect(await ask(host, "own", "status")).toMatchObject({ manager: "node" });
      const words = "--no-pager --output=cat --lines=5";
      expect(await host.call("log", { unit: "web.service", lines: 5 })).toEqual([{ lines: [`${words} --unit=web.service`] }]);
      for await (const item of host.stream("log", { unit: "web.service", lines: 5, follow: true })) {
        expect(item).toEqual({ lines: [`${words} --follow --unit=web.service`] });
        break;
      }
    } finally {
      process.env.PATH = PATH;
    }
  });
});
