import { describe, expect, test } from "vitest";
import { createKernel, createMemoryLinks, type Kernel, type Link, type LinkEvents, PID, ProcessName } from "../../src/index.ts";
import { inside, Probe } from "../probe.ts";
import { greetOnly, hello, join, type Node, node, pair, quiet } from "./cluster.ts";

const code = (value: string) => expect.objectContaining({ code: value });

/** What a promise rejects with. */
const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error) => error,
  );

/** Kernels that find each other by name, over memory links. */
function cluster(names: readonly string[], options = {}): { nodes: Node[]; links: [Link, Link][] } {
  const links: [Link, Link][] = [];
  const byName = new Map<string, Kernel>();
  const nodes = names.map((name) => {
    const resolve = (to: string): Link | undefined => {
      const kernel = byName.get(to);
      if (kernel === undefined) return undefined;
      const ends = createMemoryLinks();
      links.push(ends);
      kernel.connect(ends[1]).catch(() => undefined);
      return ends[0];
    };
    const made = node(name, { resolve, ...options });
    byName.set(made.kernel.name, made.kernel);
    return made;
  });
  return { nodes, links };
}

describe("two kernels", () => {
  test("know name, start, flags and largest message of each other (115)", async () => {
    const a = node("a", { maxMessageBytes: 5_000, flags: { spawn: false } });
    const b = node("b", { maxMessageBytes: 7_000, flags: { importantDelivery: false } });
    await join(a, b);
    expect(a.kernel.nodes()).toMatchObject([
      {
        node: "b@here",
        state: "up",
        creation: b.kernel.info().creation,
        flags: { spawn: true, applicationStart: true, importantDelivery: false },
        maxMessageBytes: 7_000,
      },
    ]);
    expect(b.kernel.nodes()).toMatchObject([{ node: "a@here", flags: { spawn: false }, maxMessageBytes: 5_000 }]);
    await a.clock.advance(1_000);
    expect(a.kernel.nodes()[0]?.uptimeMs).toBe(1_000);
    expect([a.reports, b.reports]).toMatchObject([[{ kind: "node_up" }], [{ kind: "node_up" }]]);
  });

  test("do not connect to an unknown name: actor.no_route (115)", async () => {
    const { kernel } = node("a");
    expect(await errorOf(kernel.connect("z@nowhere"))).toEqual(code("actor.no_route"));
    expect(await errorOf(kernel.connect("a@here"))).toEqual(code("actor.not_allowed"));
    expect(() => kernel.disconnect("z@nowhere")).toThrow(code("actor.no_connection"));
  });

  test("of the same name do not connect", async () => {
    const [a, b] = [node("twin"), node("twin")];
    const [left, right] = createMemoryLinks();
    const outcomes = await Promise.all([errorOf(a.kernel.connect(left)), errorOf(b.kernel.connect(right))]);
    expect(outcomes).toEqual([code("actor.name_taken"), code("actor.name_taken")]);
    expect([...a.kernel.nodes(), ...b.kernel.nodes()]).toEqual([]);
  });

  test("refuse a third one under the name of one that lives, and keep that one", async () => {
    const [a, b, impostor] = [node("a"), node("b"), node("b")];
    await join(a, b);
    for (const [first, second] of [
      [a, impostor],
      [impostor, a],
    ] as [Node, Node][]) {
      const [left, right] = createMemoryLinks();
      const outcomes = await Promise.all([errorOf(first.kernel.connect(left)), errorOf(second.kernel.connect(right))]);
      expect(outcomes).toEqual([code("actor.name_taken"), code("actor.name_taken")]);
    }
    expect(a.kernel.nodes()).toMatchObject([{ creation: b.kernel.info().creation, state: "up" }]);
  });

  test("that are connected stay connected as they are when another link comes", async () => {
    const [a, b] = await pair();
    const target = b.kernel.spawn(Probe);
    const near = inside(a.kernel.spawn(Probe));
    await near.monitor(target);
    await join(a, b);
    await join(b, a);
    b.kernel.kill(target);
    await quiet();
    expect(near.got).toMatchObject([{ reason: "kill" }]);
    expect(a.reports).toMatchObject([{ kind: "node_up" }]);
  });

  test("with the same cookie connect over an open link; with different ones, or only one, they do not", async () => {
    const open = (link: Link): Link =>
      new Proxy(link, { get: (target, key) => (key === "isTrusted" ? false : bound(target, key)) });
    const meet = async (ours: string | undefined, theirs: string | undefined): Promise<unknown[]> => {
      const options = (cookie: string | undefined) => (cookie === undefined ? {} : { cookie });
      const [a, b] = [node("a", options(ours)), node("b", options(theirs))];
      const [left, right] = createMemoryLinks();
      return Promise.all([errorOf(a.kernel.connect(open(left))), errorOf(b.kernel.connect(open(right)))]);
    };
    const refused = code("auth.unauthenticated");
    expect(await meet("secret", "secret")).toEqual([undefined, undefined]);
    expect(await meet("secret", "other")).toEqual([refused, refused]);
    expect(await meet("secret", undefined)).toEqual([refused, refused]);
    expect(await meet(undefined, "secret")).toEqual([refused, refused]);
    expect(await meet(undefined, undefined)).toEqual([refused, refused]);
  });

  test("with one cookie between them do not connect over a trusted link either", async () => {
    const [a, b] = [node("a", { cookie: "secret" }), node("b")];
    const [left, right] = createMemoryLinks();
    const outcomes = await Promise.all([errorOf(a.kernel.connect(left)), errorOf(b.kernel.connect(right))]);
    expect(outcomes).toEqual([code("auth.unauthenticated"), code("auth.unauthenticated")]);
  });
});

function bound(target: Link, key: string | symbol): unknown {
  const value = Reflect.get(target, key) as unknown;
  return typeof value === "function" ? value.bind(target) : value;
}

describe("a connection on first use", () => {
  test("carries what was sent while it was being made, in order, with questions and watches", async () => {
    const { nodes } = cluster(["a", "b"]);
    const [a, b] = nodes as [Node, Node];
    const far = b.kernel.spawn(Probe, { name: "far" });
    const near = inside(a.kernel.spawn(Probe));
    for (const n of [1, 2, 3]) near.send(new ProcessName("far", "b@here"), n);
    const monitored = near.monitor(far);
    const important = near.sendImportant(far, 4);
    near.send(far, 5);
    expect(await near.call(far, "q")).toBe("q");
    await Promise.all([monitored, important, near.monitorNode("b@here")]);
    expect(inside(far).got).toEqual([1, 2, 3, 4, 5]);
    b.kernel.kill(far);
    await quiet();
    expect(near.got).toMatchObject([{ reason: "kill" }]);
  });

  test("is one, when both sides dial at once", async () => {
    for (let round = 0; round < 10; round++) {
      const { nodes, links } = cluster(["a", "b"]);
      const [a, b] = nodes as [Node, Node];
      const [onA, onB] = [a.kernel.spawn(Probe, { name: "p" }), b.kernel.spawn(Probe, { name: "p" })];
      for (const n of [1, 2, 3]) {
        a.kernel.send(new ProcessName("p", "b@here"), n);
        b.kernel.send(new ProcessName("p", "a@here"), n);
      }
      await Promise.all([a.kernel.connect("b@here"), b.kernel.connect("a@here")]);
      await quiet();
      expect(links).toHaveLength(2);
      expect([inside(onA).got, inside(onB).got]).toEqual([
        [1, 2, 3],
        [1, 2, 3],
      ]);
      expect([a.reports, b.reports]).toMatchObject([[{ kind: "node_up" }], [{ kind: "node_up" }]]);
      await Promise.all([a.kernel.stop(), b.kernel.stop()]);
      expect([a.clock.pendingTimers, b.clock.pendingTimers]).toEqual([0, 0]);
    }
  });

  test("that leads to another node than asked for is no route", async () => {
    const other = node("other");
    const resolve = (): Link => {
      const [left, right] = createMemoryLinks();
      other.kernel.connect(right).catch(() => undefined);
      return left;
    };
    const a = node("a", { resolve });
    const near = inside(a.kernel.spawn(Probe));
    const asked = errorOf(near.call(new ProcessName("x", "b@here"), 1));
    near.send(new ProcessName("x", "b@here"), "lost");
    expect(await asked).toEqual(code("actor.no_route"));
    expect(a.kernel.nodes()).toEqual([]);
    expect(a.reports).toMatchObject([{ kind: "undelivered", error: { code: "actor.no_route" } }]);
  });

  test("whose route fails, throws, or gives nothing in 5 seconds ends what waits for it with actor.no_route", async () => {
    const routes: ((name: string) => Link | Promise<Link>)[] = [
      () => Promise.reject(new Error("refused")),
      () => {
        throw new Error("no such host");
      },
      () => new Promise(() => undefined),
    ];
    for (const resolve of routes) {
      const a = node("a", { resolve });
      const near = inside(a.kernel.spawn(Probe));
      const to = new ProcessName("x", "b@here");
      const waits = [near.call(to, 1, { timeoutMs: 60_000 }), near.monitorNode("b@here"), a.kernel.connect("b@here")].map(
        errorOf,
      );
      await a.clock.advance(5_008);
      expect(await Promise.all(waits)).toEqual(waits.map(() => code("actor.no_route")));
      expect(a.kernel.nodes()).toEqual([]);
    }
  });

  test("made anew after a loss knows nothing of the old one, and refuses addresses of an earlier life", async () => {
    const { nodes } = cluster(["a", "b"]);
    const [a, b] = nodes as [Node, Node];
    const far = b.kernel.spawn(Probe);
    const near = inside(a.kernel.spawn(Probe));
    near.send(far, { key: 1 });
    await quiet();
    a.kernel.disconnect("b@here");
    await quiet();
    near.send(far, { key: 2, another: 3 });
    await quiet();
    expect(inside(far).got).toEqual([{ key: 1 }, { key: 2, another: 3 }]);
    expect(a.reports.map(({ kind }) => kind)).toEqual(["node_up", "node_down", "node_up"]);
  });

  test("to a node that was started anew drops mail for its earlier life, and says so to whoever can hear it", async () => {
    let current: Node | undefined;
    const resolve = (): Link => {
      const [left, right] = createMemoryLinks();
      current?.kernel.connect(right).catch(() => undefined);
      return left;
    };
    const a = node("a", { resolve });
    current = node("b");
    const far = current.kernel.spawn(Probe);
    const near = inside(a.kernel.spawn(Probe));
    await near.sendImportant(far, 1);
    await current.kernel.stop();
    await quiet();
    current = node("b");
    const anew = current.kernel.spawn(Probe);
    expect(anew.id).toBe(far.id);
    near.send(far, "for the dead");
    const outcomes = [near.sendImportant(far, 2), near.call(far, 3), near.monitor(far) as Promise<void>].map(errorOf);
    expect(await Promise.all(outcomes)).toEqual(outcomes.map(() => code("actor.incarnation")));
    expect(inside(anew).got).toEqual([]);
    expect(() => near.send(far, "now known")).toThrow(code("actor.incarnation"));
    await near.sendImportant(new PID("b@here", anew.id, anew.creation), "alive");
    expect(inside(anew).got).toEqual(["alive"]);
  });
});

/** A link that can be cut for one side only, as by a machine that vanishes. */
function halfOpen(): { ends: [Link, Link]; cut(): void } {
  const [left, right] = createMemoryLinks();
  let isCut = false;
  const wrap = (link: Link): Link => ({
    maxBatchBytes: link.maxBatchBytes,
    isTrusted: true,
    listen: (events: LinkEvents) =>
      link.listen({
        onBatch: (batch) => {
          if (!isCut) events.onBatch(batch);
        },
        onDrain: () => events.onDrain(),
        onClosed: (error) => {
          if (!isCut) events.onClosed(error);
        },
      }),
    send: (batch) => isCut || link.send(batch),
    close: (error) => {
      if (!isCut) link.close(error);
    },
  });
  return {
    ends: [wrap(left), wrap(right)],
    cut: () => {
      isCut = true;
    },
  };
}

describe("a node that vanishes without a word", () => {
  test("is lost after it has missed three signs of life, and not before", async () => {
    const [a, b] = [node("a", { keepAliveMs: 1_000 }), node("b", { keepAliveMs: 1_000 })];
    const { ends, cut } = halfOpen();
    await Promise.all([a.kernel.connect(ends[0]), b.kernel.connect(ends[1])]);
    const near = inside(a.kernel.spawn(Probe));
    await near.monitorNode("b@here");
    for (let second = 0; second < 20; second++) {
      await Promise.all([a.clock.advance(1_000), b.clock.advance(1_000)]);
      await quiet();
    }
    expect(near.got).toEqual([]);
    cut();
    await a.clock.advance(3_000);
    expect(near.got).toEqual([]);
    await a.clock.advance(2_000);
    await quiet();
    expect(near.got).toMatchObject([{ kind: "node", target: "b@here", reason: { code: "actor.no_connection" } }]);
    expect(a.kernel.nodes()).toEqual([]);
  });

  test("and comes back is let in once the old connection shows no life, whichever side decides", async () => {
    for (const [stays, returns] of [
      ["a", "b"],
      ["b", "a"],
    ] as const) {
      const here = node(stays);
      const before = node(returns);
      const { ends, cut } = halfOpen();
      await Promise.all([here.kernel.connect(ends[0]), before.kernel.connect(ends[1])]);
      const near = inside(here.kernel.spawn(Probe));
      await near.monitorNode(`${returns}@here`);
      cut();
      const after = node(returns);
      const [left, right] = createMemoryLinks();
      const connected = Promise.all([here.kernel.connect(left), after.kernel.connect(right)]);
      await quiet();
      await here.clock.advance(2_000);
      await connected;
      await quiet();
      expect(near.got).toMatchObject([{ kind: "node", reason: { code: "actor.no_connection" } }]);
      expect(here.kernel.nodes()).toMatchObject([{ creation: after.kernel.info().creation }]);
    }
  });
});

describe("whoever is no kernel", () => {
  const said: [string, (string | object)[], string][] = [
    ["that says garbage", ["garbage"], "actor.malformed"],
    ["that says nothing sensible", ["null"], "actor.malformed"],
    ["that says too much", [JSON.stringify(hello("z@there", { more: "x".repeat(20_000) }))], "actor.malformed"],
    ["of another protocol", [hello("z@there", { magic: "http" })], "actor.malformed"],
    ["of a later version", [hello("z@there", { versions: { min: 2, max: 3 } })], "protocol.version"],
    ["without a host", [hello("z")], "actor.malformed"],
    ["without flags", [hello("z@there", { flags: {} })], "actor.malformed"],
    ["without a start", [hello("z@there", { creation: "now" })], "actor.malformed"],
    ["with the own name", [hello("a@here")], "actor.name_taken"],
    ["without a proof", [hello("z@there"), {}], "actor.malformed"],
    ["with a wrong proof", [hello("z@there"), { proof: "wrong" }], "auth.unauthenticated"],
    ["that is not ready", [hello("z@there"), { proof: "" }, { set: true }], "actor.malformed"],
    ["that welcomes before it may", [hello("A@there"), { welcome: true }], "actor.malformed"],
  ];

  test.each(said)("%s is refused, and the link is closed", async (_name, words, expected) => {
    const { kernel, clock } = node("a");
    const [left, right] = createMemoryLinks();
    const closed = new Promise<void>((resolve) => {
      right.listen({ onBatch: () => undefined, onDrain: () => undefined, onClosed: () => resolve() });
    });
    const outcome = errorOf(kernel.connect(left));
    for (const word of words) right.send(Buffer.from(typeof word === "string" ? word : JSON.stringify(word)));
    expect(await outcome).toEqual(code(expected));
    await closed;
    expect(clock.pendingTimers).toBe(0);
  });

  test("that says nothing at all is given up after 5 seconds", async () => {
    const { kernel, clock } = node("a");
    const [left] = createMemoryLinks();
    const outcome = errorOf(kernel.connect(left));
    await clock.advance(5_000);
    expect(await outcome).toEqual(code("actor.timeout"));
  });

  test("and sends frames that break the rules after the greeting loses the connection, and nobody else anything", async () => {
    const a = node("a");
    const [left, right] = createMemoryLinks();
    await Promise.all([a.kernel.connect(left), greetOnly(right, "mute@here")]);
    const near = inside(a.kernel.spawn(Probe));
    await near.monitorNode("mute@here");
    right.send(Uint8Array.of(31, 1, 2, 3));
    await quiet();
    expect(near.got).toMatchObject([
      { kind: "node", reason: { code: "actor.no_connection", cause: { code: "actor.malformed" } } },
    ]);
    expect(a.kernel.isAlive(near.self)).toBe(true);
  });

  test("a link that ends in the greeting is no connection", async () => {
    const { kernel } = node("a");
    const [left, right] = createMemoryLinks();
    const outcome = errorOf(kernel.connect(left));
    right.close();
    expect(await outcome).toEqual(code("actor.no_connection"));
  });
});

describe("a kernel that has stopped", () => {
  test("ends its connections, takes no new ones and reaches nobody", async () => {
    const [a, b] = await pair();
    const far = b.kernel.spawn(Probe);
    await a.kernel.stop();
    await quiet();
    expect([a.kernel.nodes(), b.kernel.nodes()]).toEqual([[], []]);
    expect([a.clock.pendingTimers, b.clock.pendingTimers]).toEqual([0, 0]);
    expect(() => a.kernel.send(far, 1)).toThrow(code("actor.node_terminated"));
    expect(await errorOf(a.kernel.connect(createMemoryLinks()[0]))).toEqual(code("actor.node_terminated"));
    expect(await errorOf(a.kernel.connect("b@here"))).toEqual(code("actor.node_terminated"));
  });

  test("in the middle of a greeting gives it up", async () => {
    const { kernel, clock } = node("a");
    const outcome = errorOf(kernel.connect(createMemoryLinks()[0]));
    await kernel.stop();
    expect(await outcome).toEqual(code("actor.node_terminated"));
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("the options of a network", () => {
  test("are checked when the kernel is made", () => {
    const wrong: object[] = [
      { cookies: "x" },
      { cookie: "" },
      { maxMessageBytes: 0 },
      { maxOutgoingBytes: 1.5 },
      { keepAliveMs: -1 },
      { flags: { fly: true } },
      { exposeEnv: { all: true } },
    ];
    for (const network of wrong) expect(() => createKernel({ network })).toThrow(code("actor.incorrect"));
  });
});
