import { describe, expect, test } from "vitest";
import { Alias, MessageDown, MessageEventStart, MessageEventStop, MessageExit, PID, type Reason } from "../src/index.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const boom = new Error("boom");

const ends: [string, (stageOf: ReturnType<typeof stage>, pid: PID) => void, Reason | unknown][] = [
  ["kill", ({ kernel }, pid) => kernel.kill(pid), "kill"],
  ["an error", ({ kernel }, pid) => kernel.exit(pid, boom), boom],
  ["shutdown", ({ kernel }, pid) => kernel.exit(pid, "shutdown"), "shutdown"],
  [
    "a panic",
    ({ kernel }, pid) =>
      kernel.send(pid, () => {
        throw boom;
      }),
    expect.objectContaining({ code: "actor.panic", cause: boom }),
  ],
];

describe("57 a monitored process", () => {
  test.each(ends)("that ends by %s gives one MessageDown with that reason", async (_name, end, reason) => {
    const on = stage();
    const target = on.kernel.spawn(Probe);
    const watcher = on.kernel.spawn(Probe);
    inside(watcher).monitor(target);
    end(on, target);
    await settle();
    expect(inside(watcher).got).toEqual([new MessageDown("pid", target, expect.anything())]);
    expect((inside(watcher).got[0] as MessageDown).reason).toEqual(reason);
    expect(inside(target).ended).toEqual([reason]);
  });
});

describe("58 a monitored name, alias or event", () => {
  test.each(ends)("gives the reason %s of its owner", async (_name, end, reason) => {
    const on = stage();
    const target = on.kernel.spawn(Probe, { name: "t" });
    const watcher = on.kernel.spawn(Probe);
    inside(target).registerEvent("e");
    inside(watcher).monitor("t");
    inside(watcher).monitor(inside(target).createAlias());
    inside(watcher).monitorEvent("e");
    end(on, target);
    await settle();
    expect(inside(watcher).got).toMatchObject([{ kind: "name" }, { kind: "alias" }, { kind: "event" }]);
    for (const down of inside(watcher).got) expect((down as MessageDown).reason).toEqual(reason);
  });

  test("that is withdrawn gives actor.unregistered", async () => {
    const { kernel } = stage();
    const target = kernel.spawn(Probe, { name: "t" });
    const watcher = kernel.spawn(Probe);
    const alias = inside(target).createAlias();
    inside(target).registerEvent("e");
    inside(watcher).monitor("t");
    inside(watcher).monitor(alias);
    inside(watcher).monitorEvent("e");
    kernel.unregisterName("t");
    inside(target).deleteAlias(alias);
    inside(target).unregisterEvent("e");
    await settle();
    expect(inside(watcher).got).toHaveLength(3);
    for (const down of inside(watcher).got) expect((down as MessageDown).reason).toEqual(code("actor.unregistered"));
  });
});

describe("59 a monitor of nobody", () => {
  test("throws the code of its kind", () => {
    const { kernel } = stage();
    const { creation } = kernel.info();
    const probe = inside(kernel.spawn(Probe));
    expect(() => probe.monitor(new PID("test@here", 9, creation))).toThrow(code("actor.process_unknown"));
    expect(() => probe.monitor("nobody")).toThrow(code("actor.process_unknown"));
    expect(() => probe.monitor(new Alias("test@here", 9, creation))).toThrow(code("actor.alias_unknown"));
    expect(() => probe.monitorEvent("none")).toThrow(code("actor.event_unknown"));
  });
});

describe("61 a link", () => {
  test("goes one way: the end of the linker leaves the target alone", async () => {
    const { kernel } = stage();
    const target = kernel.spawn(Probe);
    const linker = kernel.spawn(Probe);
    inside(linker).link(target);
    kernel.kill(linker);
    await settle();
    expect(kernel.isAlive(target)).toBe(true);
  });

  test("ends the linker with the reason of the target", async () => {
    const { kernel } = stage();
    const target = kernel.spawn(Probe);
    const linker = kernel.spawn(Probe);
    inside(linker).link(target);
    kernel.exit(target, boom);
    await settle();
    expect(inside(linker).ended).toEqual([boom]);
  });
});

describe("62 a relation", () => {
  test("exists once per kind, and only what exists can be removed", () => {
    const { kernel } = stage();
    const target = kernel.spawn(Probe);
    const probe = inside(kernel.spawn(Probe));
    probe.link(target);
    expect(() => probe.link(target)).toThrow(code("actor.target_exists"));
    expect(() => probe.demonitor(target)).toThrow(code("actor.target_unknown"));
    probe.unlink(target);
    expect(() => probe.unlink(target)).toThrow(code("actor.target_unknown"));
  });
});

describe("63 a link and a monitor of one target", () => {
  test("both fire", async () => {
    const { kernel } = stage();
    const target = kernel.spawn(Probe);
    const pid = kernel.spawn(Probe);
    inside(pid).setTrapExit(true);
    inside(pid).link(target);
    inside(pid).monitor(target);
    kernel.kill(target);
    await settle();
    expect(inside(pid).got).toEqual([new MessageExit("pid", target, "kill"), new MessageDown("pid", target, "kill")]);
  });
});

describe("65 an exit with reason normal", () => {
  test("ends an actor that does not trap exits", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe);
    inside(kernel.spawn(Probe)).sendExit(pid, "normal");
    await settle();
    expect(inside(pid).ended).toEqual(["normal"]);
  });
});

describe("66 trapping exits", () => {
  test("turns a stranger's exit into a message", async () => {
    const { kernel } = stage();
    const pid = kernel.spawn(Probe);
    const stranger = kernel.spawn(Probe);
    inside(pid).setTrapExit(true);
    inside(stranger).sendExit(pid, boom);
    await settle();
    expect(inside(pid).got).toEqual([new MessageExit("pid", stranger, boom)]);
  });

  test("stops neither the exit of the parent nor that of the kernel", async () => {
    const { kernel } = stage();
    const parent = kernel.spawn(Probe);
    const children = [inside(parent).spawn(Probe), inside(parent).spawn(Probe)] as PID[];
    for (const child of children) inside(child).setTrapExit(true);
    inside(parent).sendExit(children[0] as PID, boom);
    kernel.exit(children[1] as PID, boom);
    await settle();
    for (const child of children) expect(inside(child).ended).toEqual([boom]);
  });
});

describe("67 an exit signal", () => {
  test("to itself, the parent or the leader is not allowed; without a reason it is incorrect", () => {
    const { kernel } = stage();
    const leader = kernel.spawn(Probe);
    const parent = kernel.spawn(Probe);
    const child = inside(parent).spawn(Probe, { leader });
    for (const to of [child, parent, leader]) {
      expect(() => inside(child).sendExit(to, "normal")).toThrow(code("actor.not_allowed"));
    }
    expect(() => inside(parent).sendExit(child, undefined as never)).toThrow(code("actor.incorrect"));
  });
});

describe("69 linkParent", () => {
  test("ends the child with its parent, also when it traps exits", async () => {
    const { kernel } = stage();
    const parent = kernel.spawn(Probe);
    const child = inside(parent).spawn(Probe, { linkParent: true });
    inside(child).setTrapExit(true);
    kernel.exit(parent, boom);
    await settle();
    expect(inside(child).ended).toEqual([boom]);
  });
});

describe("71 the end of a consumer", () => {
  test("leaves no relation behind, and its producer gets MessageEventStop", async () => {
    const { kernel } = stage();
    const producer = kernel.spawn(Probe);
    const consumer = kernel.spawn(Probe);
    inside(producer).registerEvent("e", { notify: true });
    inside(consumer).linkEvent("e");
    inside(consumer).monitor(producer);
    kernel.kill(consumer);
    await settle();
    expect(inside(producer).got).toEqual([new MessageEventStart("e"), new MessageEventStop("e")]);
    expect(kernel.info().events[0]?.subscribers).toBe(0);
  });
});

describe("73 an event with notices", () => {
  test("tells of the first subscriber and of the loss of the last only", async () => {
    const { kernel } = stage();
    const producer = kernel.spawn(Probe);
    inside(producer).registerEvent("e", { notify: true });
    const [a, b] = [inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe))];
    a.linkEvent("e");
    b.linkEvent("e");
    a.unlinkEvent("e");
    b.unlinkEvent("e");
    await settle();
    expect(inside(producer).got).toEqual([new MessageEventStart("e"), new MessageEventStop("e")]);
  });
});

describe("74 an event with a buffer", () => {
  test("gives a new subscriber the last events, oldest first", async () => {
    const { kernel } = stage();
    const token = kernel.registerEvent("e", { bufferLimit: 2 });
    for (const message of [1, 2, 3]) kernel.sendEvent("e", token, message);
    const pid = kernel.spawn(Probe);
    expect(inside(pid).monitorEvent("e")).toMatchObject([{ message: 2 }, { message: 3 }]);
    kernel.sendEvent("e", token, 4);
    await settle();
    expect(inside(pid).got).toMatchObject([{ message: 4 }]);
  });
});

describe("75 publishing", () => {
  test("needs the token, which may be handed on, and a known event", () => {
    const { kernel } = stage();
    const token = inside(kernel.spawn(Probe)).registerEvent("e");
    const other = inside(kernel.spawn(Probe));
    const wrong = other.registerEvent("f");
    expect(() => other.sendEvent("e", wrong, 1)).toThrow(code("actor.event_owner"));
    expect(() => other.sendEvent("none", token, 1)).toThrow(code("actor.event_unknown"));
    other.sendEvent("e", token, 1);
  });
});
