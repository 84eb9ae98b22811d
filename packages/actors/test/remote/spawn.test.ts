import { describe, expect, test } from "vitest";
import { Actor, PID, type Reason } from "../../src/index.ts";
import { inside, Probe } from "../probe.ts";
import { join, type Node, node, pair, quiet } from "./cluster.ts";

const code = (value: string) => expect.objectContaining({ code: value });

/** The actor behind a PID that came from the node it lives on. */
function at({ kernel }: Node, pid: PID): Probe {
  return inside(kernel.processes().find(({ id }) => id === pid.id) as PID);
}

/** Fails in its start, in the way that it is told to. */
class Failing extends Actor {
  override init(how: "throw" | "reject"): Promise<void> {
    if (how === "throw") throw Object.assign(new Error("no start"), { code: "shop.closed" });
    return Promise.reject(new Error("late"));
  }
}

/** Ends as soon as it has started. */
class Brief extends Actor<string> {
  override init(): void {
    this.send(this.self as PID, "end");
  }
  override handleMessage(): Reason {
    return "shutdown";
  }
}

/** Starts when it is let. */
class Slow extends Actor {
  static release = Promise.withResolvers<void>();
  override init(): Promise<void> {
    return Slow.release.promise;
  }
}

describe("a process spawned on another node", () => {
  test("has whoever asked as parent and leader, its arguments, options and a name (116)", async () => {
    const [a, b] = await pair();
    b.kernel.enableSpawn("probe", Probe);
    const asker = a.kernel.spawn(Probe);
    const pid = await inside(asker).remoteSpawn("b@here", "probe", {
      name: "named",
      mailboxLimit: 7,
      priority: "max",
      args: [],
    });
    expect(pid).toBeInstanceOf(PID);
    expect(b.kernel.whereIs("named")).toEqual(pid);
    expect(b.kernel.processInfo(pid)).toMatchObject({ parent: asker, leader: asker, mailboxLimit: 7 });
    const other = await a.kernel.remoteSpawn("b@here", "probe");
    expect(b.kernel.processInfo(other)).toMatchObject({ parent: a.kernel.core, leader: a.kernel.core });
    expect(await inside(asker).call(pid, "q")).toBe("q");
  });

  test("needs a name that is enabled, for the node that asks, and a free name to register (116)", async () => {
    const [a, b, c] = [node("a"), node("b"), node("c")];
    await Promise.all([join(a, b), join(b, c)]);
    const spawn = (from: typeof a, options = {}) => from.kernel.remoteSpawn("b@here", "probe", options);
    await expect(spawn(a)).rejects.toEqual(code("actor.name_unknown"));
    b.kernel.enableSpawn("probe", Probe, { nodes: ["c@here"] });
    await expect(spawn(a)).rejects.toEqual(code("actor.not_allowed"));
    await spawn(c, { name: "taken" });
    await expect(spawn(c, { name: "taken" })).rejects.toEqual(code("actor.name_taken"));
    b.kernel.enableSpawn("probe", Probe, { nodes: ["a@here"] });
    await spawn(a);
    expect(() => b.kernel.enableSpawn("probe", Failing)).toThrow(code("actor.name_taken"));
    expect(() => b.kernel.disableSpawn("none")).toThrow(code("actor.name_unknown"));
  });

  test("is taken back from nodes one by one; an emptied list means nobody, not everybody (116)", async () => {
    const [a, b, c] = [node("a"), node("b"), node("c")];
    await Promise.all([join(a, b), join(b, c)]);
    const may = async (): Promise<string> => {
      const outcomes = await Promise.allSettled([a, c].map(({ kernel }) => kernel.remoteSpawn("b@here", "probe")));
      return outcomes.map(({ status }) => status === "fulfilled").join();
    };
    b.kernel.enableSpawn("probe", Probe, { nodes: ["a@here", "c@here"] });
    expect(await may()).toBe("true,true");
    b.kernel.disableSpawn("probe", { nodes: ["a@here"] });
    expect(await may()).toBe("false,true");
    b.kernel.disableSpawn("probe", { nodes: ["c@here"] });
    expect(await may()).toBe("false,false");
    b.kernel.enableSpawn("probe", Probe);
    expect(await may()).toBe("true,true");
    b.kernel.disableSpawn("probe", { nodes: ["c@here"] });
    expect(await may()).toBe("true,false");
    b.kernel.enableSpawn("probe", Probe, { nodes: ["c@here"] });
    expect(await may()).toBe("true,true");
    b.kernel.disableSpawn("probe");
    await expect(a.kernel.remoteSpawn("b@here", "probe")).rejects.toEqual(code("actor.name_unknown"));
  });

  test("is not allowed on the own node, where the flag is off, and with a start that may take too long (116)", async () => {
    const a = node("a");
    const b = node("b", { flags: { spawn: false } });
    await join(a, b);
    a.kernel.enableSpawn("probe", Probe);
    b.kernel.enableSpawn("probe", Probe);
    await expect(a.kernel.remoteSpawn("a@here", "probe")).rejects.toEqual(code("actor.not_allowed"));
    await expect(a.kernel.remoteSpawn("b@here", "probe")).rejects.toEqual(code("actor.not_allowed"));
    await expect(b.kernel.remoteSpawn("a@here", "probe", { initTimeoutMs: 15_001 })).rejects.toEqual(code("actor.not_allowed"));
    await expect(b.kernel.remoteSpawn("z@here", "probe")).rejects.toEqual(code("actor.no_route"));
    await b.kernel.remoteSpawn("a@here", "probe", { initTimeoutMs: 15_000 });
  });

  test("that fails in its start fails for whoever asked, with the same error", async () => {
    const [a, b] = await pair();
    b.kernel.enableSpawn("failing", Failing);
    await expect(a.kernel.remoteSpawn("b@here", "failing", { args: ["throw"] })).rejects.toEqual(code("shop.closed"));
    await expect(a.kernel.remoteSpawn("b@here", "failing", { args: ["reject"] })).rejects.toThrow("late");
    await expect(a.kernel.remoteSpawn("b@here", "failing", { args: [() => 1] })).rejects.toEqual(code("actor.not_sendable"));
    expect(b.kernel.processes()).toEqual([]);
  });

  test("sees of the environment of whoever asked what was given, and the rest only where that is exposed", async () => {
    for (const isExposed of [false, true]) {
      const a = node("a", { exposeEnv: { spawn: isExposed } });
      const b = node("b");
      await join(a, b);
      b.kernel.enableSpawn("probe", Probe);
      const asker = inside(a.kernel.spawn(Probe, { env: { inherited: "yes", both: "parent" } }));
      const pid = await asker.remoteSpawn("b@here", "probe", { env: { given: 1, both: "own" } });
      const seen = ["inherited", "given", "both"].map((name) => at(b, pid).env(name));
      expect(seen).toEqual([isExposed ? "yes" : undefined, 1, "own"]);
    }
  });

  test("cannot send its parent away, and its parent's exit cannot be trapped", async () => {
    const [a, b] = await pair();
    b.kernel.enableSpawn("probe", Probe);
    const asker = a.kernel.spawn(Probe);
    const pid = await inside(asker).remoteSpawn("b@here", "probe");
    const child = at(b, pid);
    child.setTrapExit(true);
    expect(() => child.sendExit(asker, "normal")).toThrow(code("actor.not_allowed"));
    inside(asker).sendExit(pid, "shutdown");
    await quiet();
    expect(child.ended).toEqual(["shutdown"]);
  });

  test("ends with its parent if it is linked to it, also when it traps exits (69)", async () => {
    const [a, b] = await pair();
    b.kernel.enableSpawn("probe", Probe);
    const asker = a.kernel.spawn(Probe);
    const linked = await inside(asker).remoteSpawn("b@here", "probe", { linkParent: true });
    const free = await inside(asker).remoteSpawn("b@here", "probe");
    const child = at(b, linked);
    child.setTrapExit(true);
    a.kernel.kill(asker);
    await quiet();
    expect(child.ended).toEqual(["kill"]);
    expect(b.kernel.isAlive(free)).toBe(true);
  });

  test("ends with the connection to its parent if it is linked to it", async () => {
    const [a, b] = await pair();
    b.kernel.enableSpawn("probe", Probe);
    const linked = await inside(a.kernel.spawn(Probe)).remoteSpawn("b@here", "probe", { linkParent: true });
    const child = at(b, linked);
    await quiet();
    a.kernel.disconnect("b@here");
    await quiet();
    expect(child.ended).toEqual([code("actor.no_connection")]);
  });

  test("tells a linked parent of its end, however soon that comes", async () => {
    const [a, b] = await pair();
    b.kernel.enableSpawn("brief", Brief);
    const asker = inside(a.kernel.spawn(Probe));
    asker.setTrapExit(true);
    const pids = await Promise.all(Array.from({ length: 200 }, () => asker.remoteSpawn("b@here", "brief", { linkChild: true })));
    await quiet();
    expect(asker.got).toHaveLength(200);
    expect(asker.got).toContainEqual({ kind: "pid", target: pids[7], reason: "shutdown" });
    expect(a.kernel.nodes()).toMatchObject([{ watches: 0, watched: 0 }]);
    expect(b.kernel.nodes()).toMatchObject([{ watches: 0, watched: 0 }]);
  });

  test("gets an exit if the start of its linked parent fails", async () => {
    const [a, b] = await pair();
    b.kernel.enableSpawn("probe", Probe);
    class Parent extends Actor {
      override async init(): Promise<void> {
        await this.remoteSpawn("b@here", "probe", { linkChild: true, name: "child" });
        throw new Error("no start");
      }
    }
    await expect(a.kernel.spawn(Parent)).rejects.toThrow("no start");
    await quiet();
    expect(b.kernel.whereIs("child")).toBeUndefined();
  });

  test("whose parent is gone before it has started ends at once if it is linked to it", async () => {
    Slow.release = Promise.withResolvers();
    const [a, b] = await pair();
    b.kernel.enableSpawn("slow", Slow);
    const asker = a.kernel.spawn(Probe);
    inside(asker).setTrapExit(true);
    const outcome = inside(asker)
      .remoteSpawn("b@here", "slow", { linkParent: true, linkChild: true })
      .catch((error) => error);
    await quiet();
    a.kernel.kill(asker);
    expect(await outcome).toEqual(code("actor.process_terminated"));
    Slow.release.resolve();
    await quiet();
    expect(b.kernel.processes()).toEqual([]);
    expect(b.kernel.nodes()).toMatchObject([{ watches: 0, watched: 0 }]);
  });

  test("whose start takes too long is a timeout for whoever asked", async () => {
    Slow.release = Promise.withResolvers();
    const [a, b] = await pair();
    b.kernel.enableSpawn("slow", Slow);
    const outcomes = [50, 100].map((initTimeoutMs) =>
      a.kernel.remoteSpawn("b@here", "slow", { initTimeoutMs }).catch((error) => error),
    );
    await quiet();
    await b.clock.advance(50);
    expect(await outcomes[0]).toEqual(code("actor.timeout"));
    await a.clock.advance(5_108);
    expect(await outcomes[1]).toEqual(code("actor.timeout"));
  });
});

describe("the address of a process on another node", () => {
  test("is typed as one on the own node: a wrong message does not compile", async () => {
    const [a] = await pair();
    const far = new PID<{ n: number }, { request: "q"; answer: 5 }>("b@here", 1_001, 1);
    const typed = (): void => {
      a.kernel.send(far, { n: 1 });
      // @ts-expect-error: no such message
      a.kernel.send(far, { n: "1" });
      const answer: Promise<5> = a.kernel.call(far, "q", { important: true });
      // @ts-expect-error: no such question
      void a.kernel.call(far, "r");
      // @ts-expect-error: no such message
      void a.kernel.sendImportant(far, "text");
      void answer;
    };
    expect(typed).toBeTypeOf("function");
  });
});
