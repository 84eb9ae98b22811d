import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { asMetanodeError, errorRow } from "@metanode/core/errors";
import "@metanode/nature/errors";
import "@metanode/streaming/errors";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { ArgumentSpec, CommandSpec } from "../src/command.ts";
import { commandTable } from "../src/commands/index.ts";
import { runCommandLine } from "../src/program.ts";
import { fixture, start, startNode, type TestNode, temporaryFolder, until } from "./helpers.ts";

let node: TestNode;
let home: ReturnType<typeof temporaryFolder>;
beforeAll(async () => {
  home = temporaryFolder();
  vi.stubEnv("XDG_CONFIG_HOME", home.path); // no context of whoever runs the tests
  for (const name of ["METANODE_URL", "METANODE_TOKEN", "METANODE_DATA"]) vi.stubEnv(name, "");
  node = await startNode();
});
afterAll(async () => {
  vi.unstubAllEnvs();
  home[Symbol.dispose]();
  await node[Symbol.asyncDispose]();
});

const specs: readonly CommandSpec[] = commandTable.groups.flatMap(({ commands }) => commands);

/** Commands that speak to no node, or that say themselves how it does. */
const LOCAL = [
  "up",
  "down",
  "doctor",
  "processor check",
  "stream plan",
  "stream import",
  "stream exec",
  "meta check",
  "meta states",
  "meta mermaid",
  "meta export",
  "meta import",
  "context ls",
  "context use",
  "context set",
  "context show",
  "context rm",
  "explain",
  "completion",
  "version",
  "agent",
  "deploy logs",
];

/** Words that a command accepts where nothing of the sort need exist. */
const WORDS: Readonly<Record<string, string>> = {
  "<processes>": "2",
  "<version>": "1",
  "<settings>": "{}",
  "<message>": "{}",
  "<request>": "{}",
  "[data]": "{}",
  "[definition]": "{}",
  "[settings]": "{}",
  "[command...]": "true",
  "<meta>": "B:test/thing:1",
  "<state>": "on",
  "<action>": "start",
  "<labels...>": "a=b",
};
const FILES: Readonly<Record<string, string>> = {
  "meta plan": fixture("shop.flow.ts"),
  "meta apply": fixture("shop.flow.ts"),
  "action upload": fixture("text.ts"),
  "deploy apply": fixture("shop.topology.yaml"),
  "deploy status": fixture("shop.topology.yaml"),
  "deploy destroy": fixture("shop.topology.yaml"),
  "host push": fixture("text.ts"),
  "host pull": "-",
};
const EXTRA: Readonly<Record<string, readonly string[]>> = { "token create": ["--role", "viewer"] };

/** A whole command line of a command, with --yes where it asks. */
function lineOf({ path, arguments: args = [], options = [] }: CommandSpec): readonly string[] {
  const wordOf = ({ usage }: ArgumentSpec): string =>
    usage === "<file>" || usage === "<local>" ? (FILES[path] ?? '{"name":"numbers"}') : (WORDS[usage] ?? "1");
  const yes = options.some(({ flags }) => flags.includes("--yes")) ? ["--yes"] : [];
  return [...path.split(" "), ...(EXTRA[path] ?? []), ...yes, ...args.map(wordOf)];
}

/** The code that a command line ends with. */
function codeOf(words: readonly string[]): Promise<string> {
  return runCommandLine(words).then(
    () => "none",
    (error: unknown) => asMetanodeError(error).code,
  );
}

describe("every command that speaks to a node", () => {
  const remote = specs.filter(({ path }) => !LOCAL.includes(path)).map((spec) => [spec.path, spec] as const);

  test("is one of the table, and the others are too", () => {
    expect(LOCAL.filter((path) => !specs.some((spec) => spec.path === path))).toEqual([]);
    expect(remote.length).toBeGreaterThan(60);
  });

  test.each(remote)("ends where nobody answers: %s", async (_path, spec) => {
    const [first = "", ...rest] = lineOf(spec);
    expect(await codeOf([first, "--url", "http://127.0.0.1:9", ...rest])).toBe("node.unreachable");
  });

  test("exits with the status of its error", async () => {
    const { status } = await node.metanode(["events", "--url", "http://127.0.0.1:9"]);
    expect(status).toBe(errorRow("node.unreachable").exit);
  });
});

describe("Ctrl-C", () => {
  test("ends a graph that runs here in order, with status 130", async () => {
    const child = start(["stream", "exec", "n", "--node", "n=yes"], { cwd: home.path });
    let seen = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      seen = seen.slice(-100) + chunk;
    });
    await until(() => seen.includes("y\n"));
    child.kill("SIGINT");
    expect(await once(child, "close")).toEqual([130, null]);
  });

  const hasPython = spawnSync("python3", ["-c", "import pty"]).status === 0;

  test.skipIf(!hasPython)("at a question ends it with status 130 (skipped where Python is missing)", async () => {
    const bin = fileURLToPath(new URL("../bin/metanode.js", import.meta.url));
    // A terminal of its own, which only Python makes without more packages.
    const terminal = [
      "import pty, os, sys",
      "pid, fd = pty.fork()",
      "if pid == 0: os.execv(sys.argv[1], sys.argv[1:])",
      "seen = b''",
      "while b'[y/N]' not in seen: seen += os.read(fd, 1000)",
      "os.write(fd, b'\\x03')",
      "try:",
      "    while os.read(fd, 1000): pass",
      "except OSError: pass",
      "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))",
    ].join("\n");
    const args = ["-c", terminal, process.execPath, bin, "stream", "rm", "numbers"];
    const { PATH = "" } = process.env;
    const env = { PATH, HOME: home.path, XDG_CONFIG_HOME: home.path };
    const child = spawn("python3", args, { cwd: node.folder, env, stdio: "ignore" });
    expect(await once(child, "close")).toEqual([130, null]);
  });
});

describe("--watch", () => {
  test.each(["status", "processor ls", "stream ls", "actor ls"])(
    "of %s gives one line of JSON or one table for each look",
    async (path) => {
      for (const [format, looks] of [
        ["json", /^(\{.*\}\n){2}/],
        ["table", /^[^{][\s\S]*\n\n[^{]/],
      ] as const) {
        const child = start([...path.split(" "), "-w", "10ms", "-o", format], { cwd: node.folder });
        let seen = "";
        child.stdout?.on("data", (chunk: Buffer) => {
          seen += chunk;
        });
        await until(() => looks.test(seen));
        child.kill("SIGINT");
        expect(await once(child, "close")).toEqual([null, "SIGINT"]);
        expect(seen).not.toContain("\u001b");
      }
    },
  );
});
