import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Command, fixture, run, temporaryFolder } from "./command.ts";

const quick = (...args: string[]) => run("--once", "--port", "0", "--data", temporaryFolder(), ...args);

/** Listens on `port` for the length of a test; false where somebody else does already. */
async function occupy(port: number): Promise<number | undefined> {
  const server = createServer();
  const isFree = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
  if (!isFree) return undefined;
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const address = server.address();
  return typeof address === "object" ? address?.port : undefined;
}

describe("the command", () => {
  test("prints a table of findings and the counts on stdout, its progress on stderr, and ends with status 0", async () => {
    const { status, stdout, stderr } = await quick(fixture("v3"));
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining("inspected 13 of 13 packages\n") });
    expect(stdout.replace(fixture("v3"), "v3.json").replaceAll(process.version, "v26.10.0")).toMatchInlineSnapshot(`
      "finding         package   version  what
      -------         -------   -------  ----
      license         @tea/cup  0.4.1    licence LGPL-2.1-or-later is weak copyleft
      license         saucer    1.0.0    licence GPL-2.0-only WITH Classpath-exception-2.0 is weak copyleft
      license         spoon     0.0.9    licence missing from the lockfile (in 2 places)
      license         sugar     5.0.1    licence "SEE LICENSE IN LICENSE.txt" is no SPDX expression (unknown)
      license         tea-leaf  1.8.4    licence GPL-3.0-only is strong copyleft
      license         tray      7.7.7    licence MPL-2.0 is weak copyleft
      install script  honey     1.2.3    runs a script when it is installed
      install script  kettle    3.1.2    runs a script when it is installed
      integrity       honey     1.2.3    no integrity hash; from git, commit 0123456789ab
      integrity       spoon     0.0.9    only a sha1 hash, which can be forged (in 2 places)
      engines         tea-leaf  1.8.4    engines ask for Node >=0.10 <12, this is v26.10.0
      duplicate       steam              in 2 versions: 1.9.0, 2.0.0-rc.1
      duplicate       tea-leaf           in 2 versions: 1.8.4, 2.2.0

      lockfile        v3.json (version 3)
      packages        13 (and, not audited: 2 folders of the project, 1 links to them)
      licences        6 permissive, 3 weak copyleft, 2 missing, 1 strong copyleft, 1 unknown
      install scripts 2
      integrity       8 sha512, 2 sha1, 1 none, 1 not needed, 1 several
      engines         1 exclude Node v26.10.0
      duplicates      2 names in several versions
      workflow        8 flagged, 4 approved
      "
    `);
  });

  test("remembers in its data folder which packages somebody has reviewed", async () => {
    const again = (...args: string[]) =>
      run("--once", "--json", "--port", "0", "--data", data, ...args, fixture("v3")).then(({ stdout, stderr }) => ({
        workflow: JSON.parse(stdout).workflow,
        stderr,
      }));
    const data = temporaryFolder();
    expect((await again()).workflow).toEqual({ approved: 4, flagged: 8 });
    const { workflow, stderr } = await again(
      "--reviewed",
      "@tea/cup@0.4.1",
      "--reviewed",
      "spoon@0.0.9",
      "--reviewed",
      "fork@1.0.0",
    );
    expect(workflow).toEqual({ approved: 4, flagged: 6, reviewed: 2 });
    expect(stderr).toContain("not reviewed: nothing flagged is fork@1.0.0\n");
    expect((await again()).workflow).toEqual({ approved: 4, flagged: 6, reviewed: 2 });
  });

  test("does not start where the database of its workflow cannot be opened, and says why", async () => {
    const data = temporaryFolder();
    writeFileSync(join(data, "nature"), "no folder");
    const { status, stdout, stderr } = await run("--once", "--json", "--port", "0", "--data", data, fixture("v3"));
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/^error store\.\w+: .*nature.*$/m);
  });

  test("prints one JSON object with the findings when it is asked for", async () => {
    const { status, stdout } = await quick("--json", fixture("v2"));
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      lockfileVersion: 2,
      node: process.version,
      findings: expect.arrayContaining([
        {
          kind: "install_script",
          name: "quill",
          version: "1.0.2",
          path: "node_modules/quill",
          text: "runs a script when it is installed",
        },
        { kind: "duplicate", name: "ink", version: "", path: "", text: "in 2 versions: 0.9.9, 1.3.0" },
      ]),
      duplicates: [{ name: "ink", versions: ["0.9.9", "1.3.0"] }],
    });
  });

  test("takes an entry that it cannot inspect for a finding, and inspects the others", async () => {
    const file = join(temporaryFolder(), "package-lock.json");
    const lock = JSON.parse(readFileSync(fixture("v2"), "utf8"));
    lock.packages["node_modules/number"] = { version: 7, license: "MIT" };
    lock.packages["node_modules/nothing"] = null;
    lock.packages["node_modules/large"] = { version: "1.0.0", license: "x".repeat(5 * 1024 ** 2) };
    writeFileSync(file, JSON.stringify(lock));
    const { status, stdout } = await quick("--json", file);
    const { counts, findings } = JSON.parse(stdout);
    expect({ status, counts }).toMatchObject({
      status: 0,
      counts: { packages: 8, errors: 3, installScripts: 1, duplicatedNames: 1 },
    });
    const errors = findings.filter(({ kind }: { kind: string }) => kind === "error");
    expect(errors).toMatchObject([
      { path: "node_modules/number", text: expect.stringMatching(/\/entry\/version.*\(message\.schema\)$/) },
      { path: "node_modules/nothing", text: expect.stringMatching(/\/entry.*\(message\.schema\)$/) },
      { path: "node_modules/large", text: expect.stringMatching(/\(message\.too_large\)$/) },
    ]);
  });

  test("shows what could steer a terminal as question marks", async () => {
    const file = join(temporaryFolder(), "package-lock.json");
    const packages = { "node_modules/\u001b]0;owned\u0007": { version: "1.0.0", license: "MIT", hasInstallScript: true } };
    writeFileSync(file, JSON.stringify({ lockfileVersion: 3, packages }));
    const { stdout } = await quick(file);
    expect(stdout).toContain("?]0;owned?");
    expect(stdout).not.toContain("\u001b");
  });

  test("says nothing was found where a lockfile has no packages", async () => {
    const file = join(temporaryFolder(), "package-lock.json");
    writeFileSync(file, '{"lockfileVersion":3,"packages":{"":{}}}');
    expect(await quick(file)).toMatchObject({ status: 0, stdout: expect.stringMatching(/^nothing found\n(.*\n)*packages +0 /) });
  });

  test("keeps the node up with its address printed, until it is interrupted", async () => {
    const command = new Command("--port", "0", "--data", temporaryFolder(), fixture("v2"));
    const [, url] = await command.says(
      /^node is up at (http:\/\/127\.0\.0\.1:\d+) – Ctrl-C stops it; try: npx metanode status$/m,
    );
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    command.signal("SIGINT");
    expect(await command.ended()).toMatchObject({ status: 0, stdout: expect.stringContaining("install scripts 1\n") });
  });

  test("ends at once with the status of an interrupted program where it is interrupted in the middle", async () => {
    const file = join(temporaryFolder(), "package-lock.json");
    const names = Array.from({ length: 30_000 }, (_, index) => `node_modules/tea-${index}`);
    const packages = Object.fromEntries(names.map((name) => [name, { version: "1.0.0", license: "MIT" }]));
    writeFileSync(file, JSON.stringify({ lockfileVersion: 3, packages }));
    const command = new Command("--port", "0", "--data", temporaryFolder(), file);
    await command.says(/^inspected 6000 of 30000/m);
    command.signal("SIGINT");
    const { status, stdout, stderr } = await command.ended();
    expect({ status, stdout }).toEqual({ status: 130, stdout: "" });
    expect(stderr).toMatch(/^error (call\.cancelled|node\.closed): [^\n]+\n$/m);
  });

  test("ends in peace where its reader has gone", async () => {
    const command = new Command("--once", "--json", "--port", "0", "--data", temporaryFolder(), fixture("v3"));
    command.closeStdout();
    expect(await command.ended()).toMatchObject({ status: 0, stderr: expect.not.stringContaining("error") });
  });

  test("prints its usage", async () => {
    expect(await run("--help")).toMatchObject({ status: 0, stdout: expect.stringContaining("example: npm start"), stderr: "" });
  });
});

describe("a data folder in use", () => {
  test("ends a second command with one line and status 1, and leaves the first one serving", async () => {
    const data = temporaryFolder();
    const first = new Command("--port", "0", "--data", data, fixture("v2"));
    const [, url] = await first.says(/node is up at (\S+)/);
    const second = await run("--once", "--port", "0", "--data", data, fixture("v2"));
    expect(second).toEqual({ status: 1, stdout: "", stderr: expect.stringMatching(/^error node\.data_in_use: [^\n]+\n$/) });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});

describe("a port in use", () => {
  test("is an error where it was asked for", async () => {
    const port = await occupy(0);
    const ended = await run("--once", "--port", String(port), "--data", temporaryFolder(), fixture("v2"));
    expect(ended).toEqual({ status: 1, stdout: "", stderr: expect.stringMatching(/^error node\.port_in_use: [^\n]+\n$/) });
  });

  test("makes the command take a free one where none was asked for", async () => {
    await occupy(7400);
    const command = new Command("--data", temporaryFolder(), fixture("v2"));
    await command.says(/^port 7400 is in use; taking a free one \(choose one with --port\)$/m);
    const [, port] = await command.says(/node is up at http:\/\/127\.0\.0\.1:(\d+)/);
    expect(port).not.toBe("7400");
    command.signal("SIGTERM");
    expect(await command.ended()).toMatchObject({ status: 0 });
  });
});

describe("what is no lockfile", () => {
  test.each([
    ["resource.not_found", "missing", undefined],
    ["config.invalid", "empty", ""],
    ["config.invalid", "not JSON", "lockfileVersion: 3\npackages: {}\n"],
    ["config.invalid", "an array", "[]"],
    ["config.invalid", "without packages", '{"lockfileVersion":3}'],
    ["call.unsupported", "of version 1", '{"lockfileVersion":1,"dependencies":{}}'],
  ])("ends the command with one line, %s, and status 1 where it is %s", async (code, _what, content) => {
    const file = join(temporaryFolder(), "package-lock.json");
    if (content !== undefined) writeFileSync(file, content);
    const { status, stdout, stderr } = await quick(file);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/^error [^\n]+\n$/);
    expect(stderr).toMatch(new RegExp(`^error ${code}: .*${file}`));
  });
});

describe("a wrong command line", () => {
  test("ends with one line and status 2", async () => {
    const ended = await run("--port", "99999");
    expect(ended).toEqual({
      status: 2,
      stdout: "",
      stderr: expect.stringMatching(/^error usage\.invalid: [^\n]+ see --help\n$/),
    });
  });
});
