import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pino } from "pino";
import { describe, expect, onTestFinished, test } from "vitest";
import { codeOf } from "../../src/errors.ts";
import { type HostRule, hostControl } from "../../src/host/index.ts";
import type { NodeModule } from "../../src/node/module.ts";
import { createNode } from "../../src/node/node.ts";
import { TREE, treeModule } from "../../src/tree/index.ts";
import { openHostNode, run, script, testFolder } from "../fixtures/host-control.ts";
import { errorOf } from "../fixtures/until.ts";

const VERBS = ["facts", "exec", "push", "pull", "unit", "log"] as const;

/** The least that each verb takes; none of them does harm. */
const DATA: Readonly<Record<string, unknown>> = {
  facts: {},
  exec: { argv: ["true"] },
  push: { path: "/no/such/folder/x", offset: 0, data: "", sha256: "0".repeat(64) },
  pull: { path: "/no/such/folder/x" },
  unit: { unit: "web", action: "status" },
  log: { path: "/no/such/folder/x" },
};

describe("M-65: who may do what", () => {
  const rules: readonly HostRule[] = [
    { verbs: ["facts"], callers: ["role:stranger"], effect: "deny" },
    { verbs: [...VERBS], callers: ["role:admin"] },
    { verbs: ["exec", "unit", "log"], callers: ["role:operator", "/root/eu/*"] },
    { verbs: ["log"], callers: ["role:viewer"] },
  ];
  test.each([
    ["role:admin", [...VERBS]],
    ["role:operator", ["facts", "exec", "unit", "log"]],
    ["/root/eu/a", ["facts", "exec", "unit", "log"]],
    ["/root/us/a", ["facts"]],
    ["role:viewer", ["facts", "log"]],
    ["role:stranger", []],
    ["role:admin2", ["facts"]],
    [undefined, ["facts"]],
    ["", ["facts"]],
  ])("M-65: %s may %j and nothing else", async (caller, allowed) => {
    const host = await openHostNode({ rules, systemdFolder: "/none", units: [{ name: "web", command: ["true"] }] });
    for (const verb of VERBS) {
      const outcome = await host.call(verb, DATA[verb], caller === undefined ? {} : { caller }).then(
        () => "done",
        ({ code }: { code: string }) => code,
      );
      expect([verb, outcome === "auth.denied"]).toEqual([verb, !(allowed as string[]).includes(verb)]);
    }
    // Every attempt is written down once, the denied ones too.
    expect(host.attempts.map(({ verb, caller: who, allowed: was }) => [verb, who, was])).toEqual(
      VERBS.map((verb) => [verb, caller ?? "local", (allowed as string[]).includes(verb)]),
    );
    for (const attempt of host.attempts) if (!attempt.allowed) expect(attempt.code).toBe("auth.denied");
  });

  test("M-65: a rule may be for nodes of a selector: it goes by the labels of the moment, and what is in no tree is denied", async () => {
    const rules: HostRule[] = [
      { verbs: ["exec"], where: "canary=*", effect: "deny" },
      { verbs: ["exec"], where: "region=eu", paths: ["true"] },
    ];
    const open = async (modules: readonly NodeModule[]): Promise<(labels?: object) => Promise<unknown>> => {
      const node = await createNode({ modules: [hostControl({ rules }), ...modules], logger: pino({ level: "silent" }) });
      onTestFinished(() => node.close());
      return async (labels) => {
        if (labels !== undefined) await node.call({ type: TREE.labels, data: { set: labels } });
        return node.call({ type: "metanode.host.exec", data: { argv: ["true"] } }).then(() => "done", codeOf);
      };
    };
    const inTree = await open([treeModule({ labels: { region: "eu" } })]);
    expect(await inTree()).toBe("done");
    expect(await inTree({ region: "us" })).toBe("auth.denied");
    expect(await inTree({ region: "eu" })).toBe("done");
    expect(await inTree({ region: "eu", canary: "1" })).toBe("auth.denied");
    expect(await (await open([]))()).toBe("auth.denied");
    expect(() => hostControl({ rules: [{ verbs: ["exec"], where: "region=" }] })).toThrow(/rules\[0\]\.where/);
  });

  test("M-65: without rules everything is denied, facts alone excepted", async () => {
    const host = await openHostNode({ rules: [] });
    for (const verb of VERBS.slice(1)) {
      const error = await errorOf(host.call(verb, DATA[verb], { caller: "role:admin" }));
      expect(error).toMatchObject({ code: "auth.denied", details: { verb, caller: "role:admin" } });
    }
    await host.call("facts");
  });

  test("M-65: the first rule that fits decides", async () => {
    const host = await openHostNode({
      rules: [
        { verbs: ["exec"], paths: ["true"], effect: "deny", callers: ["role:a"] },
        { verbs: ["exec"], paths: ["true", "false"] },
        { verbs: ["exec"], effect: "deny" },
      ],
    });
    expect(await errorOf(run(host, { argv: ["true"] }, { caller: "role:a" }))).toMatchObject({ code: "auth.denied" });
    expect((await run(host, { argv: ["true"] }, { caller: "role:b" })).exit.code).toBe(0);
    expect((await run(host, { argv: ["false"] }, { caller: "role:a" })).exit.code).toBe(1);
    expect(await errorOf(run(host, { argv: ["ls"] }))).toMatchObject({ code: "auth.denied" });
  });

  test("M-65: rules hold units by name", async () => {
    const units = ["web", "web-2", "db"].map((name) => ({ name, command: ["true"] }));
    const host = await openHostNode({ rules: [{ verbs: ["unit", "log"], paths: ["web*"] }], units, systemdFolder: "/none" });
    for (const unit of ["web", "web-2"]) await host.call("unit", { unit, action: "status" });
    expect(await errorOf(host.call("unit", { unit: "db", action: "status" }))).toMatchObject({ code: "auth.denied" });
    expect(await errorOf(host.call("log", { unit: "db" }))).toMatchObject({ code: "auth.denied" });
    await host.call("log", { unit: "web" });
  });

  test("M-65: a rule that is wrong stops the start, with its place", () => {
    const wrong: [object, string][] = [
      [{ rules: [{ verbs: ["run"] }] }, "rules[0].verbs"],
      [{ rules: [{ verbs: ["exec"], effect: "maybe" }] }, "rules[0].effect"],
      [{ rules: [{ verbs: ["exec"], path: ["x"] }] }, "rules[0].path"],
      [{ rules: [{ verbs: ["exec"] }, { verbs: ["exec"], paths: ["/x["] }] }, "rules[1].paths"],
      [{ rules: [{ verbs: ["exec"], callers: "role:admin" }] }, "rules[0].callers"],
      [{ units: [{ name: "a b", command: ["x"] }] }, "units[0].name"],
      [{ units: [{ name: "a", command: [] }] }, "units[0].command"],
      [{ units: [{ name: "a", command: ["x"], restart: "often" }] }, "units[0].restart"],
      [{ units: [{ name: "a", command: ["x"], graceMs: -1 }] }, "units[0].graceMs"],
      [{ units: ["a", "a"].map((name) => ({ name, command: ["x"] })) }, "units"],
      [{ audit: "file" }, "audit"],
      [{ rule: [] }, "rule"],
    ];
    for (const [options, path] of wrong) {
      expect(() => hostControl(options)).toThrow(
        expect.objectContaining({ code: "config.invalid", details: expect.objectContaining({ path }) }),
      );
    }
  });
});

describe("M-65: programs that are named by a rule", () => {
  test("M-65: cannot be brought along by the caller, by PATH, by folder or by link", async () => {
    const folder = await testFolder();
    await writeFile(join(folder, "true"), "#!/bin/sh\necho evil\n");
    await chmod(join(folder, "true"), 0o755);
    const host = await openHostNode({ rules: [{ verbs: ["exec"], paths: ["true", "/usr/bin/*"] }] });
    expect(await errorOf(run(host, { argv: ["true"], env: { PATH: folder } }))).toMatchObject({ code: "auth.denied" });
    for (const program of ["./true", join(folder, "true"), "/usr/bin/../../tmp/x", `/usr/bin/../..${folder}/true`]) {
      expect(await errorOf(run(host, { argv: [program], cwd: folder }))).toMatchObject({ code: "auth.denied" });
    }
    await mkdir(join(folder, "bin"));
    await symlink("/usr/bin/env", join(folder, "bin", "env"));
    expect(await errorOf(run(host, { argv: [join(folder, "bin", "env")] }))).toMatchObject({ code: "auth.denied" });
    expect((await run(host, { argv: ["true"], cwd: folder })).stdout.toString()).toBe("");
    expect((await run(host, { argv: ["/bin/true"] })).exit.code).toBe(0);
  });

  test("M-65: cannot be made another program by variables", async () => {
    const named = await openHostNode({ rules: [{ verbs: ["exec"], paths: ["true"], env: ["SHOP_*", "LEVEL"] }] });
    for (const name of ["LD_PRELOAD", "LD_LIBRARY_PATH", "NODE_OPTIONS", "BASH_ENV", "HOME", "PATH", "XSHOP_X", "shop_x"]) {
      const error = await errorOf(run(named, { argv: ["true"], env: { [name]: "/x" } }));
      expect(error).toMatchObject({ code: "auth.denied", details: { variable: name } });
      expect(named.attempts.at(-1)).toMatchObject({ allowed: false, code: "auth.denied" });
    }
    await run(named, { argv: ["true"], env: { LEVEL: "1", SHOP_X: "2" } });
    const closed = await openHostNode({ rules: [{ verbs: ["exec"], paths: ["true"] }] });
    expect(await errorOf(run(closed, { argv: ["true"], env: { X: "" } }))).toMatchObject({ code: "auth.denied" });
    // Who may run anything can do that anyway.
    const any = await openHostNode();
    await run(any, { argv: ["true"], env: { NODE_OPTIONS: "" } });
  });

  test("M-65: are denied under every name that they have", async () => {
    const folder = await testFolder();
    await symlink("/usr/bin/env", join(folder, "other"));
    const host = await openHostNode({ rules: [{ verbs: ["exec"], paths: ["env"], effect: "deny" }, { verbs: ["exec"] }] });
    for (const program of ["env", "/usr/bin/env", "/bin/env", join(folder, "other")]) {
      expect(await errorOf(run(host, { argv: [program, "true"] }))).toMatchObject({ code: "auth.denied" });
    }
  });
});

describe("M-65: what is written down", () => {
  test("M-65: has who, what, how it ended and how long it took", async () => {
    const host = await openHostNode({ rules: [{ verbs: ["exec"], callers: ["role:admin"] }] });
    const beforeMs = host.node.router.clock.now();
    await run(host, { argv: [...script("process.exit(7)"), "--level", "3"] }, { caller: "role:admin" });
    await errorOf(run(host, { argv: ["no-such-program", "x y"] }, { caller: "role:admin" }));
    await errorOf(host.call("pull", { path: "/etc/shadow" }, { caller: "role:viewer" }));
    const [done, failed, denied] = host.attempts;
    expect(done).toMatchObject({ caller: "role:admin", verb: "exec", allowed: true });
    expect(done?.code).toBeUndefined();
    expect(done?.target).toContain("--level 3");
    expect(done?.atMs).toBeGreaterThanOrEqual(beforeMs);
    expect(done?.durationMs).toBeGreaterThan(0);
    expect(failed).toMatchObject({ target: 'no-such-program "x y"', allowed: true, code: "resource.not_found" });
    expect(denied).toMatchObject({
      caller: "role:viewer",
      verb: "pull",
      target: "/etc/shadow",
      allowed: false,
      code: "auth.denied",
    });
    expect(host.attempts).toHaveLength(3);
    // The journal has the dispatch as every other, with its code.
    const steps = host.node.journal.since(0, 10, ({ type }) => type === "metanode.host.pull");
    expect(steps).toMatchObject([{ kind: "message", code: "auth.denied" }]);
  });

  test("M-65: never holds a secret: not in the audit, the node's log, the journal or an error", async () => {
    const lines: string[] = [];
    const sink = new PassThrough();
    sink.on("data", (chunk: Buffer) => lines.push(chunk.toString()));
    const folder = await testFolder();
    const attempts: unknown[] = [];
    const rules: HostRule[] = [{ verbs: ["exec", "push"], callers: ["role:admin"] }];
    const module = hostControl({ rules, audit: (attempt) => attempts.push(attempt) });
    const node = await createNode({ logger: pino({ level: "trace" }, sink), folder, modules: [module] });
    onTestFinished(() => node.close());
    const secret = "hunter2hunter2";
    const exec = { argv: ["cat", "--token", secret, `--password=${secret}`, `KEY=${secret}`], env: { A: secret }, stdin: secret };
    const data = Buffer.from(secret).toString("base64");
    const errors: unknown[] = [];
    for (const caller of ["role:admin", "role:viewer"]) {
      const attempt = async (type: string, payload: object): Promise<void> => {
        await node
          .call({ type, data: payload, extensions: { caller } })
          .catch((error: Error) => errors.push({ ...error, text: error.message }));
      };
      await attempt("metanode.host.exec", exec);
      await attempt("metanode.host.exec", { ...exec, cwd: "/no/such/folder" });
      await attempt("metanode.host.exec", { ...exec, argv: [...exec.argv, `${secret}\0`] });
      await attempt("metanode.host.exec", { ...exec, argv: ["cat", "x".repeat(3_000_000), `TOKEN=${secret}`] });
      await attempt("metanode.host.push", { path: join(folder, "x"), offset: 0, data, sha256: "0".repeat(64) });
    }
    expect(attempts.length).toBeGreaterThanOrEqual(8);
    expect(errors.length).toBeGreaterThanOrEqual(8);
    const all = JSON.stringify([attempts, errors, lines, node.journal.since(0, 1_000)]);
    for (const form of [secret, data]) expect(all).not.toContain(form);
    expect(all).toContain("--token ***");
  });

  test("M-65: an audit that fails stops nobody", async () => {
    const host = await openHostNode({
      audit: () => {
        throw new Error("full");
      },
    });
    expect((await run(host, { argv: ["true"] })).exit.code).toBe(0);
  });
});
