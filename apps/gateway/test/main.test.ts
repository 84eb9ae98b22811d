import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { eventText, type TempFolder, tempFolder, WORKER } from "./harness.ts";
import { clientOf, startProgram } from "./program.ts";

const STRUCTURED = { "content-type": "application/cloudevents+json" };

/** A folder with a configuration of the worker. */
function workplace(): TempFolder {
  const folder = tempFolder();
  const processor = { name: "worker", file: WORKER, env: { NOTES: folder.file("notes") } };
  writeFileSync(folder.file("metanode.yaml"), JSON.stringify({ name: "shop", listen: { port: 0 }, processors: [processor] }));
  return folder;
}

/** Begins a call that takes a while; resolves when its handler has it. */
async function beginCall(folder: TempFolder, name: string, ms: number): Promise<{ answer: Promise<Response> }> {
  const body = eventText({ type: "test.slow", data: { ms, name } });
  const answer = clientOf(folder)("/messages", { method: "POST", headers: STRUCTURED, body });
  answer.catch(() => undefined); // looked at later
  await vi.waitFor(() => expect(folder.lines("notes")).toContain(`begin ${name}`), 10_000);
  return { answer };
}

describe("the program", () => {
  test("says in one line where it is, answers, and ends with 0 when told to, what is under way finished first", async () => {
    using folder = workplace();
    await using program = startProgram(folder);
    expect(await program.ready).toMatch(
      /^metanode ready at http:\/\/127\.0\.0\.1:\d+ \(data \.metanode, token in \.metanode\/token\)\n$/,
    );
    const { answer } = await beginCall(folder, "under-way", 700);
    program.child.kill("SIGTERM");
    const response = await answer;
    expect([response.status, await response.json()]).toEqual([200, "under-way"]);
    expect(await program.exited).toBe(0);
    expect(existsSync(folder.file(".metanode/gateway.json"))).toBe(false);
    expect(program.stdout().split("\n")).toHaveLength(2);
  });

  test("ends at once at a second signal", async () => {
    using folder = workplace();
    await using program = startProgram(folder);
    await program.ready;
    const { answer } = await beginCall(folder, "hopeless", 60_000);
    program.child.kill("SIGINT");
    await vi.waitFor(() => expect(program.stderr()).toContain("a second signal stops at once"), 10_000);
    program.child.kill("SIGINT");
    expect(await program.exited).toBe(0);
    const status = await answer.then(
      (response) => response.status,
      () => 0,
    );
    expect(status).not.toBe(200);
  });

  test("ends at once at a second signal while it is still starting", async () => {
    using folder = tempFolder();
    // It never comes in, so the start would wait for it; it ends by itself.
    const command = [process.execPath, "-e", "console.log('it runs'); setTimeout(() => undefined, 5_000)"];
    const env = { METANODE_PROCESSORS: JSON.stringify([{ name: "silent", command }]) };
    await using program = startProgram(folder, ["--port", "0"], env);
    await vi.waitFor(() => expect(program.stderr()).toContain("it runs"), 10_000);
    program.child.kill("SIGINT");
    program.child.kill("SIGTERM");
    expect(await program.exited).toBe(9);
    expect(program.stdout()).toBe("");
  });

  test("takes flags before its environment, and its environment before its file", async () => {
    using folder = workplace();
    await using program = startProgram(folder, ["--name", "flag", "--print-config"], {
      METANODE_NAME: "environment",
      METANODE_HOP_LIMIT: "9",
    });
    expect(await program.exited).toBe(0);
    expect(program.stdout()).toContain("name: flag # option\n");
    expect(program.stdout()).toContain("hopLimit: 9 # environment METANODE_HOP_LIMIT\n");
    expect(program.stdout()).toContain(`  port: 0 # file ${folder.file("metanode.yaml")}\n`);
    expect(existsSync(folder.file(".metanode"))).toBe(false);
  });

  test("explains itself", async () => {
    using folder = tempFolder();
    await using program = startProgram(folder, ["--help"]);
    expect(await program.exited).toBe(0);
    expect(program.stdout()).toContain("--print-config");
    expect(program.stdout()).toContain("Example:");
  });

  test.each([
    ["an unknown flag", ["--dta", "x"], {}, 2, /^error usage\.invalid: .*--dta.*did you mean --data\?\n$/],
    ["a word that means nothing", ["upwards"], {}, 2, /^error usage\.invalid: .*upwards/],
    ["a flag without its value", ["--data"], {}, 2, /^error usage\.invalid: .*--data/],
    [
      "a wrong port",
      ["--port", "many"],
      {},
      2,
      /^error config\.invalid: listen\.port is "many", expected a whole number from 0 to 65535/,
    ],
    ["a misspelt variable", [], { METANODE_NMAE: "x" }, 2, /^error config\.invalid: .*METANODE_NMAE.*METANODE_NAME/],
    ["a file that does not exist", ["--config", "none.yaml"], {}, 2, /^error config\.invalid: .*none\.yaml/],
  ])("ends with one clear line at %s", async (_what, args, env, status, line) => {
    using folder = tempFolder();
    await using program = startProgram(folder, args, env);
    expect(await program.exited).toBe(status);
    expect(program.stderr()).toMatch(line);
    expect(program.stderr().trimEnd().split("\n")).toHaveLength(1);
    expect(program.stdout()).toBe("");
  });

  test("ends with one clear line when its port is taken", async () => {
    using folder = tempFolder();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    await using program = startProgram(folder, ["--port", String(port), "--log-level", "silent"]);
    expect(await program.exited).toBe(1);
    expect(program.stderr()).toMatch(new RegExp(`^error node\\.port_in_use: port ${port} of 127\\.0\\.0\\.1 is taken`));
    other.close();
  });
});
