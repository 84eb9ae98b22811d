import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, type Outcome, startNode, type TestNode, until } from "./helpers.ts";

let node: TestNode;
beforeAll(async () => {
  node = await startNode([], { nature: {} });
});
afterAll(() => node[Symbol.asyncDispose]());

const metanode = (...args: string[]): Promise<Outcome> => node.metanode(args);

async function json<T>(...args: string[]): Promise<T> {
  const { status, stdout, stderr } = await metanode(...args, "-o", "json");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return JSON.parse(stdout) as T;
}

interface Stored {
  instance: { key: string; id: string };
  flow?: { status: string };
}
interface List<T = { key: string }> {
  items: T[];
  next?: string;
}

describe("metanode meta and relation", () => {
  test("declare a file as a whole, after showing what would change", async () => {
    const planned = await metanode("meta", "plan", fixture("shop.flow.ts"));
    expect(planned).toMatchObject({ status: 0, stderr: "" });
    expect(planned.stdout).toContain("+ meta B:sale/order:1\n");
    expect(planned.stdout).toContain("\n5 to add, 0 to change, 0 to remove");
    expect(await metanode("meta", "ls")).toMatchObject({ status: 0, stdout: expect.stringContaining("no metas") });
    expect(await metanode("meta", "apply", fixture("shop.flow.ts"))).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--yes"),
    });
    expect(await metanode("meta", "apply", fixture("shop.flow.ts"), "--yes")).toMatchObject({ status: 0 });
    expect(await json("meta", "plan", fixture("shop.flow.ts"))).toMatchObject({ changes: [], unchanged: 5 });
  });

  test("show what is declared, as a table or for programs", async () => {
    const { stdout } = await metanode("meta", "ls");
    expect(stdout).toMatch(/^META +STATES +SETTINGS +STATUS +DESCRIPTION\n/);
    expect(stdout).toMatch(/^B:sale\/state:1 +new\|paid +\{"master":"B:sale\/order:1"\} +enabled/m);
    expect((await metanode("meta", "get", "B:sale/order:1")).stdout).toMatch(
      /^needed by +B:sale\/order:1 -> B:sale\/state:1, B:sale\/state:1$/m,
    );
    expect((await metanode("relation", "ls")).stdout).toMatch(
      /^B:sale\/order:1 +B:sale\/state:1 +http http:\/\/127\.0\.0\.1:8082\/pack +enabled/m,
    );
    const list = await json<List<object>>("relation", "ls", "--from", "B:sale/state:1");
    expect(list.items).toMatchObject([{ to: "B:bill:1", settings: { selector: { states: { all: ["paid"] } } } }]);
    expect((await metanode("relation", "get", "B:sale/state:1", "B:bill:1", "-o", "yaml")).stdout).toContain("to: B:bill:1\n");
  });

  test("change what is declared, one by one", async () => {
    expect(await json("meta", "put", "B:note:1", "--states", "open|done", "--description", "a note")).toMatchObject({
      states: "open|done",
    });
    writeFileSync(join(node.folder, "text.json"), JSON.stringify({ fields: { type: "object" }, settings: { name: "Text" } }));
    expect(await json("meta", "put", "B:text:1", "@text.json", "--master", "B:note:1")).toMatchObject({
      settings: { name: "Text", master: "B:note:1" },
      fields: { type: "object" },
    });
    expect(await json("relation", "put", "B:text:1", "B:note:1", '{"target":{"addStates":["open"]}}')).toMatchObject({
      enabled: true,
    });
    expect(await json("relation", "put", "B:text:1", "B:note:1", "{}", "--disabled")).toMatchObject({ enabled: false });
    expect(await metanode("meta", "rm", "B:note:1", "--yes")).toMatchObject({
      status: 4,
      stderr: expect.stringMatching(/^error meta\.in_use: .*B:text:1 -> B:note:1/),
    });
    expect(await metanode("relation", "rm", "B:text:1", "B:note:1", "--yes")).toMatchObject({ status: 0 });
    expect(await json("meta", "disable", "B:text:1")).toMatchObject({ enabled: false });
    expect(await json("meta", "enable", "B:text:1")).toMatchObject({ enabled: true });
    expect(await metanode("meta", "rm", "B:text:1", "--yes")).toMatchObject({ status: 0, stderr: "meta B:text:1 is removed\n" });
    expect(await metanode("meta", "get", "B:text:1")).toMatchObject({ status: 3 });
    expect(await metanode("meta", "put", "B:note:1", "[]")).toMatchObject({ status: 2 });
    expect(await metanode("relation", "get", "B:note:1", "B:nowhere:1")).toMatchObject({ status: 3 });
  });
});

describe("metanode instance", () => {
  test("puts instances in, waits for what comes of them, and shows both ways between them", async () => {
    await metanode("relation", "put", "B:sale/order:1", "B:sale/state:1", '{"target":{"addStates":["new"]}}');
    const put = await json<Stored>("instance", "put", "B:sale/order:1", '{"price":7}', "--key", "vip=yes", "--wait", "10s");
    expect(put).toMatchObject({
      isNew: true,
      instance: { content: '{"price":7}', context: { vip: "yes" } },
      flow: { status: "ended" },
    });
    const { id, key } = put.instance;
    const again = await metanode("instance", "put", "B:sale/order:1", '{"price":7}', "--key", "vip=yes");
    expect(again).toMatchObject({ status: 0, stderr: `${key} was stored already\n` });
    expect((await json<List>("instance", "downstream", key)).items.map((one) => one.key)).toEqual([`B:sale/state:1|${id}||1`]);
    const paid = [
      "instance",
      "put",
      "B:sale/state:1",
      "--id",
      id,
      "--state",
      "paid",
      "--state-version",
      "2",
      "--wait-for",
      "B:bill:1",
    ];
    expect(await json(...paid)).toMatchObject({ flow: { status: "stored", instance: { meta: "B:bill:1" } } });
    expect((await json<List>("instance", "versions", `B:sale/state:1|${id}|`)).items.map((one) => one.key)).toEqual([
      `B:sale/state:1|${id}||2`,
      `B:sale/state:1|${id}||1`,
    ]);
    const [bill] = (await json<List>("instance", "ls", "B:bill:1")).items;
    expect((await json<List>("instance", "upstream", bill?.key ?? "")).items.map((one) => one.key)).toEqual([
      `B:sale/state:1|${id}||2`,
    ]);
    const shown = await metanode("instance", "get", `B:sale/state:1|${id}|`);
    expect(shown.stdout).toMatch(new RegExp(`^key +B:sale/state:1\\|${id}\\|\\|2\nstates +paid$`, "m"));
  });

  test("lists ranges of keys page by page", async () => {
    for (const id of ["1", "2", "3"]) await metanode("instance", "put", "B:bill:1", "--id", id, "--para", "range");
    const range = ["instance", "ls", "--key-ge", "B:bill:1|1|range", "--key-le", "B:bill:1|3|range", "--limit", "2"];
    const first = await json<List>(...range);
    expect(first.items.map(({ key }) => key)).toEqual(["B:bill:1|1|range|0", "B:bill:1|2|range|0"]);
    const rest = await metanode(...range, "--cursor", first.next ?? "");
    expect(rest.stdout).toMatch(/^KEY +STATES +CREATED +FROM +CONTENT\nB:bill:1\|3\|range\|0 /);
    expect((await metanode(...range)).stderr).toBe(`there are more: --cursor ${first.next}\n`);
  });

  test.each<[what: string, args: string[], status: number, code: string]>([
    ["for one that is not stored", ["get", "B:bill:1|99||0"], 3, "instance.unknown"],
    ["for an unknown meta", ["put", "B:bil:1"], 3, "meta.unknown"],
    ["for a version behind a gap", ["put", "B:sale/state:1", "--id", "4", "--state-version", "9"], 4, "instance.version_gap"],
    ["for an unknown state", ["put", "B:sale/state:1", "--id", "4", "--state", "lost"], 2, "instance.state"],
  ])("ends with the status of the error %s", async (_what, args, status, code) => {
    expect(await metanode("instance", ...args)).toMatchObject({
      status,
      stdout: "",
      stderr: expect.stringMatching(`^error ${code}: `),
    });
  });
});

describe("metanode task", () => {
  /** Work that nobody can do: there is no such executor. */
  async function fail(content: string): Promise<void> {
    const { status, stderr } = await metanode("instance", "put", "B:note/in:1", content, "--wait", "10s");
    expect({ status, stderr }).toMatchObject({
      status: 8,
      stderr: expect.stringContaining("1 of the tasks that follow were given up"),
    });
  }

  const failed = async (): Promise<{ id: string; code: string }[]> =>
    (await json<List<{ id: string; code: string }>>("task", "failed")).items;

  test("shows what failed, and replays it with another executor, or drops it", async () => {
    for (const meta of ["B:note/in:1", "B:note/out:1"]) await metanode("meta", "put", meta);
    await metanode("relation", "put", "B:note/in:1", "B:note/out:1", '{"executor":{"protocol":"local","url":"nobody"}}');
    await fail("one");
    await fail("two");
    const [one, two] = await failed();
    expect(one).toMatchObject({ code: "executor.unknown", to: "B:note/out:1" });
    expect((await metanode("task", "failed")).stdout).toMatch(/^ *ID +FROM +TO +FAILED +ATTEMPTS +ERROR\n/);
    expect((await metanode("task", "failed", one?.id ?? "")).stdout).toContain('"url": "nobody"');
    const mission = ["--mission", '{"executor":{"protocol":"auto","url":""}}'];
    expect(await metanode("task", "replay", one?.id ?? "", ...mission)).toMatchObject({
      status: 0,
      stderr: `task ${one?.id} is tried again\n`,
    });
    await until(async () => (await json<List>("instance", "ls", "B:note/out:1")).items.length === 1);
    expect(await metanode("task", "drop", two?.id ?? "", "--yes")).toMatchObject({ status: 0 });
    expect(await metanode("task", "drop", two?.id ?? "", "--yes")).toMatchObject({ status: 3 });
    expect(await failed()).toEqual([]);
  });

  test("replays all of a filter", async () => {
    await fail("three");
    await fail("four");
    expect(await metanode("task", "replay", "--all", "--to", "B:bill:1", "--yes")).toMatchObject({
      status: 0,
      stdout: "0 replayed, 0 failed\n",
    });
    expect(await metanode("task", "replay", "--all", "--yes")).toMatchObject({ status: 0, stdout: "2 replayed, 0 failed\n" });
    await until(async () => (await failed()).length === 2);
    expect(await metanode("task", "replay", "--all")).toMatchObject({ status: 2 });
    expect(await metanode("task", "replay")).toMatchObject({ status: 2 });
  });

  test("shows the work that waits, and how it all does", async () => {
    await metanode("relation", "put", "B:note/in:1", "B:note/out:1", '{"delayMs":3600000}');
    await metanode("instance", "put", "B:note/in:1", "later");
    const [waiting] = (await json<List<{ id: string }>>("task", "ls", "--to", "B:note/out:1")).items;
    expect((await metanode("task", "ls")).stdout).toMatch(/^ *ID +FROM +TO +DUE +ATTEMPTS +AT WORK +ERROR\n/);
    expect((await metanode("task", "get", waiting?.id ?? "")).stdout).toMatch(/^to +B:note\/out:1$/m);
    expect(await metanode("task", "get", "99999999")).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/^error task\.unknown: /),
    });
    const stats = await metanode("task", "stats");
    expect(stats.stdout).toMatch(/^failed +2$/m);
    expect(stats.stdout).toMatch(/^B:note\/in:1 +B:note\/out:1 +1 +0 +6 /m);
  });
});

test("names of metas are offered by completion", async () => {
  // Who asks waits 300 ms at most, which a busy machine may not keep.
  await until(async () => (await metanode("__complete", "meta")).stdout.split("\n").includes("B:sale/order:1"));
});

test("a node without workflows says so, with the status of what is not there", async () => {
  await using plain = await startNode();
  expect(await plain.metanode(["meta", "ls"])).toMatchObject({ status: 3, stderr: expect.stringContaining("nature.enabled") });
});
