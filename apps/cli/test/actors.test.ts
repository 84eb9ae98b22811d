import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, type Outcome, run, startNode, type TestNode, temporaryFolder, until } from "./helpers.ts";

let node: TestNode;
beforeAll(async () => {
  const file = fixture("actors.ts");
  node = await startNode([], {
    actors: [
      { name: "tally", file, export: "Tally", restart: "permanent" },
      { name: "tree", file, export: "Tally" },
    ],
  });
});
afterAll(() => node[Symbol.asyncDispose]());

const json = async (args: readonly string[]): Promise<Record<string, unknown>> =>
  JSON.parse((await node.metanode([...args, "-o", "json"])).stdout);

interface View {
  id: number;
  pid: string;
  name: string;
}

async function metaOf(actor: string): Promise<number> {
  const { items } = (await json(["actor", "metas", actor])) as { items: { id: number }[] };
  return items[0]?.id ?? expect.fail(`${actor} has none`);
}

describe("metanode actor ls, tree, kernel, metas and events", () => {
  test("show what lives, for people and as the API has it", async () => {
    const { status, stdout } = await node.metanode(["actor", "ls"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ *ID +NAME +CLASS +STATE +MAIL/);
    expect(stdout).toMatch(/^\d+ +tally +Tally +sleep +0 /m);
    expect(await json(["actor", "ls"])).toMatchObject({
      items: expect.arrayContaining([expect.objectContaining({ name: "tally" })]),
    });
  });

  test("go on where a page ended", async () => {
    const first = await node.metanode(["actor", "ls", "--limit", "1"]);
    const [, cursor = ""] = /^there are more: --cursor (\d+)\n$/.exec(first.stderr) ?? [];
    const second = await node.metanode(["actor", "ls", "--limit", "100", "--cursor", cursor]);
    expect(second.stderr).toBe("");
    expect(second.stdout).not.toContain(" node ");
    expect(second.stdout).toContain(" tally ");
  });

  test("draw the tree", async () => {
    const { stdout } = await node.metanode(["actor", "tree"]);
    expect(stdout.split("\n").map((line) => line.replace(/ +\d+ .*| +meta:.*/, ""))).toEqual([
      expect.stringMatching(/^ACTOR/),
      "node",
      "(Root)",
      "└─ tally",
      "   └─ (Ear)",
      "(Root)",
      "└─ tree",
      "   └─ (Ear)",
      "",
    ]);
    expect((await node.metanode(["actor", "tree", "--limit", "1"])).stderr).toMatch(/^there are more/);
  });

  test("tell of the kernel, of events and of meta-processes", async () => {
    expect((await node.metanode(["actor", "kernel"])).stdout).toMatch(/^kernel +node@.+$[\s\S]*^tally +running +\d+ +\d+ /m);
    expect((await node.metanode(["actor", "events"])).stdout).toMatch(/^tally\.changed +\d+ +0 +0 +0 +0$/m);
    expect((await node.metanode(["actor", "metas"])).stdout).toMatch(/^meta:\d+ +Ear +sleep +\d+ /m);
  });
});

describe("metanode actor get and inspect", () => {
  test("show one, by name, id and PID, and one whose name is a word of the API", async () => {
    const view = (await json(["actor", "get", "tally"])) as unknown as View;
    for (const one of [String(view.id), view.pid, "name:tally"])
      expect(await json(["actor", "get", one])).toMatchObject({ id: view.id });
    expect(await json(["actor", "get", "tree"])).toMatchObject({ name: "tree" });
    expect((await node.metanode(["actor", "get", "tally"])).stdout).toMatch(
      /^class +Tally$[\s\S]*^mail +urgent 0, system 0, main 0, log 0$/m,
    );
    const meta = `meta:${await metaOf("tally")}`;
    const { stdout } = await node.metanode(["actor", "get", meta]);
    expect(stdout.split("\n").map((line) => line.replace(/ +/, " "))).toEqual(
      expect.arrayContaining([`meta ${meta}`, "class Ear"]),
    );
  });

  test("show what an author has it tell", async () => {
    expect((await node.metanode(["actor", "inspect", "tally", "a", "b"])).stdout).toMatch(/^total +\d+$\n^asked +a\+b$/m);
    expect((await node.metanode(["actor", "inspect", `meta:${await metaOf("tally")}`])).stdout).toBe("it tells nothing\n");
  });

  test.each([
    [["actor", "get", "no such/../thing"], 3, "actor.process_unknown"],
    [["actor", "inspect", "meta:999999"], 3, "actor.meta_unknown"],
    [["actor", "send", "nobody", "1"], 3, "actor.process_unknown"],
    [["actor", "send", "tally", "{oops"], 2, "usage.invalid"],
    [["actor", "call", "tally", '"never"', "--timeout", "50ms"], 7, "actor.timeout"],
    [["actor", "kill", "meta:1"], 2, "usage.invalid"],
    [["actor", "metas", "meta:1"], 2, "usage.invalid"],
    [["actor", "ls", "--cursor", "x"], 2, "usage.invalid"],
  ])("end %j with status %i and %s", async (args, status, code) => {
    const outcome = await node.metanode(args);
    expect(outcome).toMatchObject({ status, stdout: "" });
    expect(outcome.stderr).toMatch(new RegExp(`^error ${code.replace(".", "\\.")}: .+\n$`));
  });
});

describe("metanode actor send and call", () => {
  test("speak with an actor, and with a meta-process", async () => {
    const before = (await json(["actor", "call", "tally", '"total"'])) as { total: number };
    expect(await node.metanode(["actor", "send", "tally", '{"add":2}', "--priority", "high"])).toMatchObject({
      status: 0,
      stdout: "",
    });
    expect(await node.metanode(["actor", "send", "tally", "-"], { stdin: '{"add":3}' })).toMatchObject({ status: 0 });
    expect(await json(["actor", "call", "tally", '"total"'])).toEqual({ total: before.total + 5 });
    const meta = `meta:${await metaOf("tally")}`;
    await node.metanode(["actor", "send", meta, '"hello"']);
    expect((await node.metanode(["actor", "call", meta, "0"])).stdout).toBe("hello\n");
  });

  test("print a text as it is, and nothing for nothing", async () => {
    expect((await node.metanode(["actor", "call", "tally", '"text"'])).stdout).toBe("as it is\n");
    expect(await node.metanode(["actor", "call", "tally", '"nothing"'])).toMatchObject({ status: 0, stdout: "", stderr: "" });
    expect((await node.metanode(["actor", "call", "tally", '"nothing"', "-o", "json"])).stdout).toBe("null\n");
  });
});

describe("metanode actor exit and kill", () => {
  test("end an actor, which its supervisor starts again, and a meta-process", async () => {
    for (const args of [
      ["exit", "tally", "--reason", "too old"],
      ["kill", "tally"],
      ["exit", "tally"],
    ]) {
      const { id } = (await json(["actor", "get", "tally"])) as unknown as View;
      expect(await node.metanode(["actor", ...args])).toMatchObject({ status: 0, stdout: "" });
      await until(async () => {
        const outcome = await node.metanode(["actor", "get", "tally", "-o", "json"]);
        return outcome.status === 0 && JSON.parse(outcome.stdout).id > id;
      });
    }
    const meta = `meta:${await metaOf("tally")}`;
    await node.metanode(["actor", "exit", meta]);
    await until(async () => (await node.metanode(["actor", "get", meta])).status === 3);
  });
});

/** A node of somebody's own: applications are code, so that no configuration file has them. */
const PROGRAM = `
import { Actor } from ${JSON.stringify(import.meta.resolve("@metanode/actors"))};
import { openGateway } from ${JSON.stringify(import.meta.resolve("@metanode/gateway"))};

class Idle extends Actor {}
const group = [{ actor: Idle }];
const applications = [{ name: "shop", mode: "permanent", dependsOn: ["stock"], group }, { name: "stock", group }];
const gateway = await openGateway({ data: "data", listen: { port: 0 }, log: { level: "silent" }, applications });
process.once("SIGTERM", () => gateway.close());
console.log(gateway.url);
`;

describe("metanode actor apps, start and stop", () => {
  const folder = temporaryFolder();
  let program: ChildProcess;
  beforeAll(async () => {
    writeFileSync(join(folder.path, "program.ts"), PROGRAM);
    program = spawn(process.execPath, ["program.ts"], { cwd: folder.path, stdio: ["ignore", "pipe", "inherit"] });
    await once(program.stdout as NodeJS.EventEmitter, "data");
  });
  afterAll(async () => {
    program.kill("SIGTERM");
    await once(program, "exit");
    folder[Symbol.dispose]();
  });
  const metanode = (...args: string[]): Promise<Outcome> => run(["actor", ...args, "--data", "data"], { cwd: folder.path });

  test("show applications, stop one and start it again", async () => {
    expect((await metanode("apps")).stdout).toMatch(/^shop +- +running +permanent +1 +\S+ +stock$/m);
    expect((await metanode("stop", "shop", "--timeout", "10s")).stdout).toMatch(/^shop +- +loaded +permanent +0 +- +stock$/m);
    const started = await metanode("start", "shop", "--mode", "transient", "-o", "json");
    expect(JSON.parse(started.stdout)).toMatchObject({ name: "shop", state: "running", mode: "transient" });
    expect(await metanode("stop", "stock", "--force")).toMatchObject({ status: 0 });
  });

  test.each([
    [["start", "none"], 3, "actor.application_unknown"],
    [["stop", "none"], 3, "actor.application_unknown"],
    [["start", "shop"], 4, "actor.application_running"],
    [["start", "shop", "--mode", "forever"], 2, "usage.invalid"],
  ])("end %j with status %i and %s", async (args, status, code) => {
    const outcome = await metanode(...args);
    expect(outcome).toMatchObject({ status, stdout: "" });
    expect(outcome.stderr).toMatch(new RegExp(`^error ${code.replace(".", "\\.")}: .+\n$`));
  });
});

describe("completion of actors", () => {
  test("offers the names that the node knows", async () => {
    // The node has 300 ms to answer, which a machine under load may not give it.
    await until(async () => {
      const { stdout } = await node.metanode(["__complete", "actor"]);
      return stdout.split("\n").toSorted().join(" ") === " node tally tree";
    });
  });
});
