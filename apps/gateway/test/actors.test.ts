import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Actor } from "@metanode/actors";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openGateway } from "../src/index.ts";
import { JSON_BODY, problemOf, silent, type TestGateway, tempFolder, testGateway } from "./harness.ts";

const FILE = fileURLToPath(new URL("./fixtures/actors.ts", import.meta.url));

class Idle extends Actor {}

let subject: TestGateway;
beforeAll(async () => {
  subject = await testGateway({
    processors: [],
    actors: [
      {
        name: "tally",
        file: FILE,
        export: "Tally",
        args: [40],
        mailboxLimit: 100,
        handles: { "tally.add": "send", "tally.get": { mode: "call", description: "the total so far" } },
      },
      { name: "top", file: FILE, export: "Top", handles: { "left.hear": { actor: "left", mode: "send" } } },
    ],
    applications: [
      { name: "shop", version: "1.2", mode: "permanent", dependsOn: ["stock"], group: [{ name: "till", actor: Idle }] },
      { name: "stock", group: [{ name: "shelf", actor: Idle }] },
    ],
  });
});
afterAll(() => subject[Symbol.asyncDispose]());

interface View {
  id: number;
  pid: string;
  name?: string;
  behaviour: string;
  parentId: number;
  metas: string[];
}

function post(path: string, body: unknown = {}): Promise<Response> {
  return subject.request(path, { method: "POST", headers: JSON_BODY, body: JSON.stringify(body) });
}

const get = async <T>(path: string): Promise<T> => (await subject.json(path)) as T;
const tally = (): Promise<View> => get<View>("/actors/tally");

async function ask(request: unknown): Promise<unknown> {
  return ((await (await post("/actors/tally/call", { request })).json()) as { answer?: unknown }).answer;
}

describe("the actors of a configuration", () => {
  test("handle the message types that it gives them", async () => {
    const before = Number(await (await subject.post({ type: "tally.get" })).json());
    expect((await subject.post({ type: "tally.add", data: 2 }, { query: "?mode=cast" })).status).toBe(202);
    expect((await subject.post({ type: "tally.add", data: 3 })).status).toBe(204);
    expect(await (await subject.post({ type: "tally.get" })).json()).toBe(before + 5);
    expect(await get("/types")).toMatchObject({
      items: expect.arrayContaining([
        expect.objectContaining({ type: "tally.get", member: "actor:tally", description: "the total so far" }),
      ]),
    });
  });

  test("leave a type to one of their children where they say so", async () => {
    const before = await get<{ messagesIn: number }>("/actors/left");
    expect((await subject.post({ type: "left.hear" })).status).toBe(204);
    expect(await get<{ messagesIn: number }>("/actors/left")).toMatchObject({ messagesIn: before.messagesIn + 1 });
  });

  test("are told apart from those that nobody configured, with their restarts", async () => {
    expect(await get("/actors/kernel")).toMatchObject({
      node: expect.stringMatching(/^node@/),
      state: "running",
      processes: expect.any(Number),
      events: 2, // one is the kernel's own
      roots: [
        { name: "tally", id: (await tally()).id, restarts: expect.any(Number) },
        { name: "top", restarts: 0 },
      ],
    });
  });
});

describe("an actor", () => {
  test("is the same by its id, its name, its name with a prefix and its PID", async () => {
    const { id, pid } = await tally();
    for (const one of [id, "name:tally", encodeURIComponent(pid)]) {
      expect(await get(`/actors/${one}`)).toMatchObject({ id, pid, name: "tally", behaviour: "Tally", mailboxLimit: 100 });
    }
  });

  test("whose name looks like an id is reached by the prefix", async () => {
    const byName = await get<View>("/actors/name:1001");
    expect(byName).toMatchObject({ name: "1001", behaviour: "Plain" });
    expect((await get<View>("/actors/1001")).name).not.toBe("1001");
  });

  test("that does not exist is actor.process_unknown, whatever is asked of it", async () => {
    const asked = [
      subject.request("/actors/nobody"),
      subject.request("/actors/999999/inspect"),
      post("/actors/nobody/send", { message: 1 }),
      post("/actors/nobody/call", { request: 1 }),
      post("/actors/nobody/exit"),
      post("/actors/nobody/kill"),
      subject.request("/actors/meta?actor=nobody"),
    ];
    for (const response of asked) {
      expect(await problemOf(await response)).toMatchObject({ httpStatus: 404, code: "actor.process_unknown" });
    }
  });

  test("gets what is sent to it, and answers what it is asked", async () => {
    const before = Number(await ask("total"));
    expect((await post("/actors/tally/send", { message: 2, priority: "high" })).status).toBe(204);
    expect(await ask("total")).toBe(before + 2);
    expect(await (await post("/actors/tally/call", { request: "nothing" })).json()).toEqual({});
  });

  test("answers with values that JSON does not know, in words", async () => {
    const { pid } = await tally();
    expect(await ask("types")).toEqual({
      pid,
      when: "1970-01-01T00:00:00.000Z",
      big: "10",
      list: [1],
      error: { code: "core.internal", message: "x" },
    });
    expect(await ask("who")).toMatch(/^<[0-9A-F]{8}\.0\.1>$/);
  });

  test("tells about itself, or about what it is asked for", async () => {
    expect(await get("/actors/tally/inspect")).toEqual({ items: { total: expect.any(String), mood: "fine" } });
    expect(await get("/actors/tally/inspect?item=mood&item=else")).toEqual({ items: { mood: "fine", else: "?" } });
    expect(await get("/actors/tally/inspect?item=mood")).toEqual({ items: { mood: "fine" } });
  });

  test.each([
    ["send", {}],
    ["send", { message: 1, priority: "low" }],
    ["send", { message: 1, prioritty: "high" }],
    ["call", { request: 1, timeoutMs: 0 }],
    ["exit", { reason: "" }],
  ])("refuses a %s with %j", async (what, body) => {
    const problem = await problemOf(await post(`/actors/tally/${what}`, body));
    expect(problem).toMatchObject({ httpStatus: 400, code: "usage.invalid" });
  });
});

describe("the end of an actor over HTTP", () => {
  test("by an exit or a kill has it started again by its supervisor", async () => {
    for (const [what, body] of [
      ["exit", { reason: "too old" }],
      ["kill", undefined],
    ] as const) {
      const { id } = await get<View>("/actors/left");
      expect((await post(`/actors/left/${what}`, body)).status).toBe(204);
      await vi.waitFor(async () => expect((await get<View>("/actors/left")).id).toBeGreaterThan(id), 10_000);
    }
  });

  test("makes a call that it was to answer time out, as the caller says", async () => {
    const { id } = await tally();
    const late = await post("/actors/tally/call", { request: "crash", timeoutMs: 50 });
    expect(await problemOf(late)).toMatchObject({ httpStatus: 504, code: "actor.timeout", retryable: true });
    await vi.waitFor(async () => expect((await tally()).id).toBeGreaterThan(id), 10_000);
    const problem = await problemOf(await subject.request(`/actors/${id}`));
    expect(problem).toMatchObject({ code: "actor.process_unknown" });
  });
});

describe("the lists of actors", () => {
  test("come in pages, each actor once", async () => {
    const seen: number[] = [];
    let path: string | undefined = "/actors?limit=2";
    while (path !== undefined) {
      const page: { items: View[]; next?: string } = await get(path);
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map(({ id }) => id));
      path = page.next === undefined ? undefined : `/actors?limit=2&cursor=${page.next}`;
    }
    expect(seen).toEqual([...new Set(seen)].toSorted((a, b) => a - b));
    expect(seen).toContain((await tally()).id);
  });

  test.each(["/actors?cursor=x", "/actors?limit=0", "/actors?limt=1", "/actors/tree?limit=0", "/actors/meta?cursor=-1"])(
    "are refused for %s",
    async (path) => {
      expect(await problemOf(await subject.request(path))).toMatchObject({ httpStatus: 400, code: "usage.invalid" });
    },
  );

  test("are a tree as well, from the configured ones down", async () => {
    const { roots, isCut } = await get<{ roots: Tree[]; isCut: boolean }>("/actors/tree");
    expect(isCut).toBe(false);
    // Children that were started again come behind the others.
    const flat = ({ name, behaviour, children }: Tree): string => `${name ?? behaviour}(${children.map(flat).toSorted().join()})`;
    const own = roots.filter(({ name }) => name !== "till" && name !== "shelf");
    expect(own.map(flat)).toEqual(["node()", "Root(tally())", "Root(top(1001(),left()))"]);
    expect(own[1]?.children[0]?.metas).toMatchObject([{ behaviour: "Ear", alias: expect.stringMatching(/^Alias#</) }]);
    expect(await get("/actors/tree?limit=1")).toMatchObject({ roots: [{ name: "node" }], isCut: true });
  });

  test("name the events with their producers", async () => {
    const { items } = await get<{ items: { name: string }[] }>("/actors/events");
    expect(items.find(({ name }) => name === "tally.changed")).toEqual({
      name: "tally.changed",
      producerId: (await tally()).id,
      subscribers: 0,
      published: 0,
      delivered: 0,
      buffered: 0,
    });
    expect(items.find(({ name }) => name === "core")).toMatchObject({ producerId: 1 });
  });
});

interface Tree {
  name?: string;
  behaviour: string;
  metas: { id: number; alias: string; behaviour: string }[];
  children: Tree[];
}

describe("a meta-process", () => {
  const ear = async (): Promise<{ id: number; alias: string }> => {
    const { items } = await get<{ items: { id: number; alias: string }[] }>("/actors/meta?actor=tally");
    return items[0] ?? expect.fail("there is none");
  };

  test("is listed below its actor, and found by its id and its alias", async () => {
    const { id, alias } = await ear();
    expect((await tally()).metas).toEqual([alias]);
    for (const one of [id, encodeURIComponent(alias)]) {
      expect(await get(`/actors/meta/${one}`)).toMatchObject({ id, alias, behaviour: "Ear", actorId: (await tally()).id });
    }
    expect(await get("/actors/meta?limit=1")).toMatchObject({ items: [{ id }] });
  });

  test("gets mail, answers calls and tells about itself", async () => {
    const { id } = await ear();
    expect((await post(`/actors/meta/${id}/send`, { message: { hello: "you" } })).status).toBe(204);
    const asked = await post(`/actors/meta/${id}/call`, { request: null });
    expect(await asked.json()).toEqual({ answer: { heard: { hello: "you" } } });
    expect(await get(`/actors/meta/${id}/inspect`)).toEqual({ items: { heard: '{"hello":"you"}' } });
  });

  test("ends by an exit, and is actor.meta_unknown from then on", async () => {
    const { id } = await ear();
    expect((await post(`/actors/meta/${id}/exit`, { reason: "normal" })).status).toBe(204);
    await vi.waitFor(async () => expect((await subject.request(`/actors/meta/${id}`)).status).toBe(404), 10_000);
    for (const response of [
      await subject.request(`/actors/meta/${id}/inspect`),
      await post(`/actors/meta/${id}/send`, { message: 1 }),
      await post("/actors/meta/tally/call", { request: 1 }),
      await post("/actors/meta/tally/exit"),
    ]) {
      expect(await problemOf(response)).toMatchObject({ httpStatus: 404, code: "actor.meta_unknown" });
    }
  });
});

describe("an application", () => {
  test("is listed with its state and its members, and found by its name", async () => {
    const { items } = await get<{ items: { name: string; memberIds: number[] }[] }>("/actors/applications");
    expect(items).toMatchObject([
      { name: "shop", version: "1.2", state: "running", mode: "permanent", dependsOn: ["stock"], processes: 1 },
      { name: "stock", mode: "temporary" },
    ]);
    const [id] = items[0]?.memberIds ?? [];
    expect(await get(`/actors/${id}`)).toMatchObject({ name: "till", application: "shop" });
    expect(await get("/actors/applications/shop")).toMatchObject({ name: "shop", memberIds: [id] });
  });

  test("is stopped, which the health of the node says, and started again", async () => {
    expect(await (await post("/actors/applications/shop/stop")).json()).toMatchObject({ state: "loaded", memberIds: [] });
    const health = (await get<{ health: unknown }>("/node")).health;
    expect(health).toMatchObject({ modules: { actors: { reasons: ["application shop is loaded, expected running"] } } });
    const started = await post("/actors/applications/shop/start", { mode: "transient" });
    expect(await started.json()).toMatchObject({ state: "running", mode: "transient" });
    expect(await problemOf(await post("/actors/applications/shop/start"))).toMatchObject({ code: "actor.application_running" });
    expect((await post("/actors/applications/shop/stop", { force: true, timeoutMs: 1_000 })).status).toBe(200);
    expect((await post("/actors/applications/shop/start")).status).toBe(200);
  });

  test("that is not loaded is actor.application_unknown", async () => {
    for (const response of [
      await subject.request("/actors/applications/none"),
      await post("/actors/applications/none/start"),
      await post("/actors/applications/none/stop"),
    ]) {
      expect(await problemOf(response)).toMatchObject({ httpStatus: 404, code: "actor.application_unknown" });
    }
    expect(await problemOf(await post("/actors/applications/shop/start", { mode: "forever" }))).toMatchObject({
      code: "usage.invalid",
    });
  });
});

describe("the metrics of a gateway", () => {
  test("have those of its actors", async () => {
    const text = await (await fetch(`${subject.gateway.url}/metrics`)).text();
    expect(text).toContain('metanode_actor_up{actor="tally"} 1');
  });
});

describe("an actor file", () => {
  const BODIES = {
    "none.ts": "export const a = 1;",
    "several.ts": `export { Tally, Top } from ${JSON.stringify(FILE)};`,
    "broken.ts": "throw new Error('cannot be');",
  };

  test.each([
    ["none.ts", undefined, "exports no actor, expected one"],
    ["several.ts", undefined, "exports several actors (Tally, Top), expected one"],
    ["several.ts", "Tallly", "exports no actor named Tallly; it exports Tally, Top"],
    ["broken.ts", undefined, "cannot be loaded: cannot be"],
    ["absent.ts", undefined, "cannot be loaded: "],
  ])("%s (export %s) that cannot be used keeps the gateway from opening, and says why", async (name, exported, text) => {
    using folder = tempFolder();
    for (const [file, body] of Object.entries(BODIES)) writeFileSync(folder.file(file), body);
    const spec = { name: "a", file: folder.file(name), ...(exported === undefined ? {} : { export: exported }) };
    const opening = openGateway({ data: folder.file("data"), listen: { port: 0 }, actors: [spec], logger: silent });
    await expect(opening).rejects.toMatchObject({ code: "config.invalid", message: expect.stringContaining(text) });
  });

  test("that exports one actor needs no name of it, and a class in code needs no file", async () => {
    class Inline extends Actor {
      override handleInspect(): Record<string, string> {
        return { where: "here" };
      }
    }
    using folder = tempFolder();
    writeFileSync(folder.file("one.ts"), `export { Top } from ${JSON.stringify(FILE)};\nexport const more = () => 1;`);
    await using gateway = await openGateway({
      data: folder.file("data"),
      listen: { port: 0 },
      actors: [
        { name: "one", file: folder.file("one.ts") },
        { name: "inline", actor: Inline },
      ],
      logger: silent,
    });
    const { kernel } = gateway.actors;
    expect(kernel.whereIs("left")).toBeDefined();
    const pid = kernel.whereIs("inline") ?? expect.fail("it does not run");
    expect(await kernel.inspect(pid)).toEqual({ where: "here" });
  });

  test("whose actor does not start leaves the gateway degraded, and running", async () => {
    class Broken extends Actor {
      override init(): void {
        throw new Error("not today");
      }
    }
    await using broken = await testGateway({ processors: [], actors: [{ name: "broken", actor: Broken }] });
    expect(await broken.json("/node")).toMatchObject({
      health: { status: "degraded", modules: { actors: { reasons: ["actor broken is down: not today"] } } },
    });
    expect(await broken.json("/actors/kernel")).toMatchObject({ roots: [{ name: "broken", lastReason: "not today" }] });
  });
});
