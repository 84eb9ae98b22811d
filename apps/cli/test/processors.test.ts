import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, run, start, startNode, type TestNode, temporaryFolder, until } from "./helpers.ts";

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node[Symbol.asyncDispose]());

const json = async (args: readonly string[]): Promise<Record<string, unknown>> =>
  JSON.parse((await node.metanode([...args, "-o", "json"])).stdout);

describe("metanode processor ls and get", () => {
  test("show what runs, for people and as the API has it", async () => {
    const { status, stdout } = await node.metanode(["processor", "ls"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^PROCESSOR +STATE +READY/);
    expect(stdout).toMatch(/^text +ready +1\/1 /m);
    expect(await json(["processor", "ls"])).toMatchObject({ items: [{ name: "text", state: "ready" }] });
    expect(await json(["processor", "get", "text"])).toMatchObject({
      name: "text",
      processes: [{ state: "ready", pid: expect.any(Number) }],
    });
    expect((await node.metanode(["processor", "get", "text"])).stdout).toMatch(/^text\.0 +ready +\d+ /m);
  });

  test("end with status 3 for a name that nobody has", async () => {
    const outcome = await node.metanode(["processor", "get", "no such/../thing"]);
    expect(outcome).toMatchObject({ status: 3, stdout: "" });
    expect(outcome.stderr).toMatch(/^error resource\.not_found: /);
  });
});

describe("metanode processor logs", () => {
  test("prints the last lines, and only those", async () => {
    for (const word of ["one", "two", "three"]) await node.metanode(["call", "text.say", JSON.stringify(word)]);
    await until(async () => (await node.metanode(["processor", "logs", "text"])).stdout.includes("said three"));
    const { stdout } = await node.metanode(["processor", "logs", "text", "--tail", "2"]);
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.replace(/^\S+ /, "")),
    ).toEqual(["text.0 said two", "text.0 said three"]);
    expect(await json(["processor", "logs", "text", "--tail", "1"])).toMatchObject({
      items: [{ stream: "stdout", text: "said three" }],
    });
  });

  test("takes escape sequences out of what a processor wrote", async () => {
    await node.metanode(["call", "text.say", JSON.stringify("\u001b[2Jgone\u0007")]);
    await until(async () => (await node.metanode(["processor", "logs", "text"])).stdout.includes("said gone"));
  });

  test("follows new lines as they come", async () => {
    const child = start(["processor", "logs", "text", "-f", "--tail", "0", "-o", "json"], { cwd: node.folder });
    let seen = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      seen += chunk;
    });
    // Whatever is said before the node follows is in no answer: it is said until it is heard.
    await until(async () => {
      await node.metanode(["call", "text.say", '"now"']);
      return seen.includes("said now");
    });
    child.kill("SIGTERM");
    expect(JSON.parse(seen.split("\n")[0] ?? "")).toMatchObject({ process: "text.0", text: "said now" });
  });
});

describe("metanode processor add, replace, scale, restart and remove", () => {
  test("bring a processor through its life", async () => {
    // A path means here what it means to whoever types it, and not what it means to the node.
    writeFileSync(join(node.folder, "other.ts"), `await import(${JSON.stringify(fixture("other.ts"))});\n`);
    expect(await json(["processor", "add", "other", "--file", "other.ts", "--env", "GREETING=hello"])).toMatchObject({
      name: "other",
      state: "ready",
    });
    expect((await node.metanode(["call", "other.greet"])).stdout).toBe("hello\n");

    expect(await json(["processor", "scale", "other", "2"])).toMatchObject({
      processes: [{ state: "ready" }, { state: "ready" }],
    });
    const pidsOf = (view: Record<string, unknown>): unknown[] => (view.processes as { pid: number }[]).map(({ pid }) => pid);
    const before = pidsOf(await json(["processor", "get", "other"]));
    const after = pidsOf(await json(["processor", "restart", "other"]));
    expect(after).toHaveLength(2);
    for (const pid of after) expect(before).not.toContain(pid);

    const command = [process.execPath, fixture("other.ts")];
    const replaced = await node.metanode([
      "processor",
      "replace",
      "other",
      "--env",
      "GREETING=welcome",
      "-o",
      "json",
      "--",
      ...command,
    ]);
    expect(JSON.parse(replaced.stdout)).toMatchObject({
      command,
      processes: [{ state: "ready" }],
    });
    expect((await node.metanode(["call", "other.greet"])).stdout).toBe("welcome\n");

    expect(await node.metanode(["processor", "remove", "other"])).toMatchObject({ status: 0, stdout: "" });
    expect(await node.metanode(["call", "other.greet"])).toMatchObject({ status: 3 });
    expect(await node.metanode(["processor", "remove", "other"])).toMatchObject({ status: 3 });
  });

  test("leave the running processor as it was when the new one does not start", async () => {
    const outcome = await node.metanode(["processor", "replace", "text", "--", process.execPath, "-e", "process.exit(3)"]);
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toMatch(/^error processor\.start: .*exit code 3/);
    expect((await node.metanode(["call", "text.echo", "1"])).stdout).toBe("1\n");
  });

  test.each([
    ["a name that is taken", ["processor", "add", "text", "--", "true"], 4],
    ["a program that does not start", ["processor", "add", "broken", "--", "/no/such/program"], 1],
    ["neither a file nor a command", ["processor", "add", "empty"], 2],
    ["both a file and a command", ["processor", "add", "both", "--file", "a.ts", "--", "true"], 2],
    ["a name that is none", ["processor", "add", "No Name", "--", "true"], 2],
    ["a number of processes that is none", ["processor", "scale", "text", "many"], 2],
    ["too many processes", ["processor", "scale", "text", "5000"], 2],
    ["a variable without a value", ["processor", "add", "vars", "--env", "ALONE", "--", "true"], 2],
  ])("refuse %s", async (_what, args, status) => {
    const outcome = await node.metanode(args);
    expect(outcome).toMatchObject({ status, stdout: "" });
    expect(outcome.stderr).toMatch(/^error \w+\.\w+: .+\n$/);
    const { items } = await json(["processor", "ls"]);
    expect((items as { name: string }[]).map(({ name }) => name)).toEqual(["text"]);
  });
});

describe("metanode processor check", () => {
  test("puts a command through the kit, without a node", async () => {
    using folder = temporaryFolder();
    const args = [
      "processor",
      "check",
      "--sample",
      'text.upper={"text":"a"}',
      "-o",
      "json",
      "--",
      process.execPath,
      fixture("text.ts"),
    ];
    const { status, stdout } = await run(args, { cwd: folder.path });
    const report = JSON.parse(stdout);
    expect(report.checks.filter((check: { status: string }) => check.status === "failed")).toEqual([]);
    expect(report.passed).toBeGreaterThan(5);
    expect(status).toBe(0);
  });

  test("says what a program that is no processor does wrong, and ends with status 1", async () => {
    using folder = temporaryFolder();
    const { status, stdout, stderr } = await run(["processor", "check", "--", process.execPath, "-e", "process.exit(3)"], {
      cwd: folder.path,
    });
    expect(status).toBe(1);
    expect(stdout).toMatch(/^failed +.+exit code 3/m);
    expect(stderr).toMatch(/\d+ passed, [1-9]\d* failed/);
  });
});
