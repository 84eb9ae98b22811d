import { describe, expect, test } from "vitest";
import type { Alias, PID, Ref } from "../src/index.ts";
import { inside, Probe, type Stage, settle, stage } from "./probe.ts";

/** Does something in its terminate as well. */
class Last extends Probe {
  last: (probe: Probe) => unknown = () => undefined;
  override async terminate(): Promise<void> {
    await this.last(this);
  }
}

/** What an operation works on, prepared by others. */
interface World extends Stage {
  readonly other: PID;
  readonly meta: Alias;
  readonly ref: Ref;
  readonly from: PID;
}

async function world(): Promise<World> {
  const on = stage();
  const other = on.kernel.spawn(Probe, { name: "other" });
  const meta = inside(other).createAlias();
  inside(other).registerEvent("e", { open: true });
  let ref: Ref | undefined;
  const callee = inside(on.kernel.spawn(Probe));
  callee.answer = (_from, asked) => {
    ref = asked;
    return new Promise(() => undefined);
  };
  const asker = inside(on.kernel.spawn(Probe));
  void asker.call(callee.self, "x", { timeoutMs: 900_000 }).catch(() => undefined);
  await settle();
  return { ...on, other, meta, ref: ref as Ref, from: asker.self };
}

type Act = (probe: Probe, on: World) => unknown;

/** Also once the process has ended. */
const always: Record<string, Act> = {
  send: (probe, { other }) => probe.send(other, 1),
  "send to a name": (probe) => probe.send("other", 1),
  "send to an alias": (probe, { meta }) => probe.send(meta, 1),
  "send with priority": (probe, { other }) => probe.send(other, 1, "max"),
  sendExit: (probe, { other }) => probe.sendExit(other, "normal"),
};

/** While it lives. */
const living: Record<string, Act> = {
  spawn: (probe) => probe.spawn(Probe),
  setTrapExit: (probe) => probe.setTrapExit(true),
  setSendPriority: (probe) => probe.setSendPriority("high"),
  setSplitHandle: (probe) => probe.setSplitHandle(true),
  sendAfter: (probe, { other }) => probe.sendAfter(other, 1, 10),
  sendEvery: (probe, { other }) => probe.sendEvery(other, 1, 10),
  sendExitAfter: (probe, { other }) => probe.sendExitAfter(other, "normal", 10),
  call: (probe, { other }) => probe.call(other, 1),
  sendRequest: (probe, { other }) => probe.sendRequest(other, 1),
  respond: (probe, { from, ref }) => probe.respond(from, ref, 1),
  respondError: (probe, { from, ref }) => probe.respondError(from, ref, new Error("no")),
  sendEvent: (probe) => probe.sendEvent("e", undefined, 1),
  registerEvent: (probe) => probe.registerEvent("own"),
  "registerEvent, then unregisterEvent": (probe) => {
    probe.registerEvent("own");
    probe.unregisterEvent("own");
  },
  registerName: (probe) => probe.registerName("me"),
  "createAlias, then deleteAlias": (probe) => probe.deleteAlias(probe.createAlias()),
  "link, then unlink": (probe, { other }) => {
    probe.link(other);
    probe.unlink(other);
  },
  "monitor, then demonitor": (probe) => {
    probe.monitor("other");
    probe.demonitor("other");
  },
  "linkEvent, then unlinkEvent": (probe) => {
    probe.linkEvent("e");
    probe.unlinkEvent("e");
  },
  "monitorEvent, then demonitorEvent": (probe) => {
    probe.monitorEvent("e");
    probe.demonitorEvent("e");
  },
  inspect: (probe, { other }) => probe.inspect(other),
  forward: (probe, { other, from, ref }) => probe.forward(other, from, ref, 1),
  forwardMessage: (probe, { other, from }) => probe.forwardMessage(other, from, 1),
};

async function outcome(act: () => unknown): Promise<string> {
  try {
    await act();
    return "done";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

const all = { ...always, ...living };
const done = (acts: Record<string, Act>) => Object.fromEntries(Object.keys(acts).map((name) => [name, "done"]));
const refused = (acts: Record<string, Act>) => Object.fromEntries(Object.keys(acts).map((name) => [name, "actor.not_allowed"]));

/** What became of each operation, each in a world of its own. */
async function outcomes(during: (on: World, act: Act) => Promise<string>): Promise<Record<string, string>> {
  const results: Record<string, string> = {};
  for (const [name, act] of Object.entries(all)) results[name] = await during(await world(), act);
  return results;
}

describe("what a process may do", () => {
  test("in its init is everything (§1.3)", async () => {
    const results = await outcomes(async (on, act) => {
      let result: Promise<string> | undefined;
      on.kernel.spawn(Probe, { args: [(probe) => (result = outcome(() => act(probe, on)))] });
      return (await result) as string;
    });
    expect(results).toEqual(done(all));
  });

  test("in a handler is everything (§1.3)", async () => {
    const results = await outcomes(async (on, act) => {
      let result: Promise<string> | undefined;
      on.kernel.send(on.kernel.spawn(Probe), (probe: Probe) => {
        result = outcome(() => act(probe, on));
      });
      await settle();
      return (await result) as string;
    });
    expect(results).toEqual(done(all));
  });

  test("in its terminate is sending messages and exits, and nothing else (§1.3)", async () => {
    const results = await outcomes(async (on, act) => {
      let result = "";
      const pid = on.kernel.spawn(Last);
      (inside(pid) as Last).last = async (probe) => {
        result = await outcome(() => act(probe, on));
      };
      on.kernel.exit(pid, "normal");
      await settle();
      return result;
    });
    expect(results).toEqual({ ...done(always), ...refused(living) });
  });

  test("once it was killed and its callback goes on is nothing (§1.3)", async () => {
    const results = await outcomes(async (on, act) => {
      const pid = on.kernel.spawn(Probe);
      let finish: () => void = () => undefined;
      on.kernel.send(pid, () => new Promise<void>((resolve) => (finish = resolve)));
      await settle();
      on.kernel.kill(pid);
      const result = await outcome(() => act(inside(pid), on));
      finish();
      return result;
    });
    expect(results).toEqual(refused(all));
  });

  test("with its environment is changed silently into nothing when it is ending (§1.3)", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Last, { env: { a: 1 } });
    (inside(pid) as Last).last = (probe) => probe.setEnv("a", 2);
    kernel.exit(pid, "normal");
    await settle();
    expect(inside(pid).env("a")).toBe(1);
  });
});

describe("the state of a process", () => {
  test("is init, sleep, running, wait_response or zombie, as it is told from outside (§1.3)", async () => {
    const { kernel } = stage();
    const states: string[] = [];
    const look = (pid: PID): void => {
      states.push(kernel.processInfo(pid).state);
    };
    const pid = kernel.spawn(Probe, { args: [(probe) => look(probe.self)] });
    look(pid);
    kernel.send(pid, () => look(pid));
    await settle();
    const silent = kernel.spawn(Probe);
    inside(silent).answer = () => new Promise(() => undefined);
    kernel.send(pid, (probe: Probe) => probe.call(silent, 1));
    await settle();
    look(pid);
    let finish: () => void = () => undefined;
    const held = kernel.spawn(Probe);
    kernel.send(held, () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    look(held);
    kernel.kill(held);
    look(held);
    finish();
    await settle();
    expect(states).toEqual(["init", "sleep", "running", "wait_response", "running", "zombie"]);
    expect(() => look(held)).toThrow(expect.objectContaining({ code: "actor.process_unknown" }));
  });
});

describe("a killed process whose callback goes on", () => {
  test("takes no mail, no exit and no watcher any more: actor.process_terminated (§2.1, §3.1)", async () => {
    const { kernel } = stage();
    const spare = kernel.spawn(Probe, { name: "spare" });
    const pid = kernel.spawn(Probe, { name: "held", mailboxLimit: 5, fallback: { name: "spare" } });
    let finish: () => void = () => undefined;
    kernel.send(pid, () => new Promise<void>((resolve) => (finish = resolve)));
    await settle();
    const earlier = inside(kernel.spawn(Probe));
    earlier.monitor(pid);
    kernel.kill(pid);
    const ending = expect.objectContaining({ code: "actor.process_terminated" });
    const other = inside(kernel.spawn(Probe));
    expect(() => kernel.send(pid, 1)).toThrow(ending);
    expect(() => kernel.send("held", 1, "max")).toThrow(ending);
    expect(() => kernel.exit(pid, "normal")).toThrow(ending);
    await expect(kernel.call(pid, 1)).rejects.toThrow(ending);
    expect(() => other.monitor(pid)).toThrow(ending);
    expect(() => other.link("held")).toThrow(ending);
    expect(kernel.processInfo(pid)).toMatchObject({ state: "zombie", mailboxLimit: 0 });
    finish();
    await settle();
    expect([inside(pid).ended, inside(spare).got, earlier.got.length]).toEqual([["kill"], [], 1]);
  });
});
