import { VirtualClock } from "@metanode/core/testing";
import { describe, expect, test } from "vitest";
import { createKernel, EventName, MessageDown, MessageEventStart, MessageEventStop } from "../src/index.ts";
import { openBus, publishCore } from "../src/runtime/bus.ts";
import { Tables } from "../src/runtime/tables.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const boom = new Error("boom");

describe("an event", () => {
  test("is registered once on a node, with options that are known (76)", () => {
    const { kernel } = stage();
    const probe = inside(kernel.spawn(Probe));
    probe.registerEvent("e");
    expect(() => probe.registerEvent("e")).toThrow(code("actor.event_taken"));
    expect(() => kernel.registerEvent("e")).toThrow(code("actor.event_taken"));
    expect(() => kernel.registerEvent("f", { buffer: 3 } as never)).toThrow(code("actor.incorrect"));
    expect(() => kernel.registerEvent("f", { bufferLimit: -1 })).toThrow(code("actor.incorrect"));
  });

  test("comes with its name, its time and what was published, in the queue of the publisher's priority (76)", async () => {
    const { kernel, clock } = stage();
    const producer = inside(kernel.spawn(Probe));
    const token = producer.registerEvent("e");
    const pid = kernel.spawn(Probe);
    inside(pid).linkEvent(new EventName("e", "test@here"));
    producer.sendEvent("e", token, "normal");
    producer.setSendPriority("max");
    producer.sendEvent("e", token, "max");
    expect(kernel.processInfo(pid).mailbox).toMatchObject({ urgent: 1, main: 1 });
    await settle();
    const event = { event: new EventName("e", "test@here"), timeMs: clock.now() };
    expect(inside(pid).got).toEqual([
      { ...event, message: "max" },
      { ...event, message: "normal" },
    ]);
  });

  test("has each subscriber once per manner; one that links and monitors gets it twice (76)", async () => {
    const { kernel } = stage();
    const token = kernel.registerEvent("e");
    const probe = inside(kernel.spawn(Probe));
    probe.linkEvent("e");
    probe.monitorEvent("e");
    expect(() => probe.linkEvent("e")).toThrow(code("actor.target_exists"));
    expect(() => probe.monitorEvent("e")).toThrow(code("actor.target_exists"));
    kernel.sendEvent("e", token, 1);
    await settle();
    expect(probe.got).toHaveLength(2);
    expect(kernel.eventInfo("e")).toMatchObject({ subscribers: 2, published: 1, delivered: 2 });
    probe.unlinkEvent("e");
    expect(() => probe.unlinkEvent("e")).toThrow(code("actor.target_unknown"));
    expect(() => probe.unlinkEvent("none")).toThrow(code("actor.event_unknown"));
  });

  test("is withdrawn by its producer only, and its watchers are told so (76)", async () => {
    const { kernel } = stage();
    const producer = inside(kernel.spawn(Probe));
    const watcher = inside(kernel.spawn(Probe));
    producer.registerEvent("e", { open: true });
    watcher.monitorEvent("e");
    expect(() => watcher.unregisterEvent("e")).toThrow(code("actor.event_owner"));
    expect(() => kernel.unregisterEvent("e")).toThrow(code("actor.event_owner"));
    producer.unregisterEvent("e");
    expect(() => producer.unregisterEvent("e")).toThrow(code("actor.event_unknown"));
    await settle();
    expect(watcher.got).toEqual([new MessageDown("event", new EventName("e", "test@here"), expect.anything())]);
    expect((watcher.got[0] as MessageDown).reason).toEqual(code("actor.unregistered"));
  });

  test("ends with its producer: whoever monitors it is told the reason, whoever links to it ends (76)", async () => {
    const { kernel } = stage();
    const producer = inside(kernel.spawn(Probe));
    producer.registerEvent("e");
    const [linked, watching] = [inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe))];
    linked.linkEvent("e");
    watching.monitorEvent("e");
    kernel.exit(producer.self, boom);
    await settle();
    expect(linked.ended).toEqual([boom]);
    expect(watching.got).toMatchObject([{ kind: "event", reason: boom }]);
    expect(() => kernel.eventInfo("e")).toThrow(code("actor.event_unknown"));
  });

  test("keeps its last messages while it lives, and shows how many (74)", () => {
    const { kernel } = stage();
    const token = kernel.registerEvent("e", { bufferLimit: 3 });
    for (let i = 0; i < 10; i++) kernel.sendEvent("e", token, i);
    expect(
      inside(kernel.spawn(Probe))
        .linkEvent("e")
        .map(({ message }) => message),
    ).toEqual([7, 8, 9]);
    expect(kernel.eventInfo("e")).toEqual({
      name: "e",
      producer: kernel.core,
      open: false,
      subscribers: 1,
      published: 10,
      delivered: 0,
      buffered: 3,
    });
  });

  test("that is open may be published by anybody, without its token (75)", async () => {
    const { kernel } = stage();
    inside(kernel.spawn(Probe)).registerEvent("open", { open: true });
    inside(kernel.spawn(Probe)).registerEvent("closed");
    const [stranger, subscriber] = [inside(kernel.spawn(Probe)), inside(kernel.spawn(Probe))];
    subscriber.linkEvent("open");
    stranger.sendEvent("open", undefined, 1);
    kernel.sendEvent("open", undefined, 2);
    expect(() => stranger.sendEvent("closed", undefined, 1)).toThrow(code("actor.event_owner"));
    await settle();
    expect(subscriber.got).toMatchObject([{ message: 1 }, { message: 2 }]);
  });

  test("of another node without a way there is actor.no_route (76)", async () => {
    const { kernel } = stage();
    kernel.registerEvent("e");
    const linked = inside(kernel.spawn(Probe)).linkEvent(new EventName("e", "other@host"));
    await expect(linked).rejects.toEqual(code("actor.no_route"));
  });
});

describe("the notices of an event", () => {
  test("follow each time the subscribers come and go, at high priority, also by their death (73)", async () => {
    const { kernel } = stage();
    const producer = kernel.spawn(Probe);
    inside(producer).registerEvent("e", { notify: true });
    const [a, b] = [kernel.spawn(Probe), kernel.spawn(Probe)];
    inside(a).linkEvent("e");
    inside(a).monitorEvent("e");
    inside(b).monitorEvent("e");
    expect(kernel.processInfo(producer).mailbox).toMatchObject({ system: 1 });
    kernel.kill(a);
    inside(b).demonitorEvent("e");
    inside(b).linkEvent("e");
    kernel.exit(b, "normal");
    await settle();
    const [start, stop] = [new MessageEventStart("e"), new MessageEventStop("e")];
    expect(inside(producer).got).toEqual([start, stop, start, stop]);
    expect(kernel.eventInfo("e").subscribers).toBe(0);
  });

  test("go to nobody for an event of the kernel (73)", async () => {
    const { kernel } = stage();
    kernel.registerEvent("e", { notify: true });
    inside(kernel.spawn(Probe)).linkEvent("e");
    await settle();
    expect(kernel.eventInfo("e").subscribers).toBe(1);
  });

  test("do not come for an event that its producer withdraws (73)", async () => {
    const { kernel } = stage();
    const producer = inside(kernel.spawn(Probe));
    producer.registerEvent("e", { notify: true });
    inside(kernel.spawn(Probe)).monitorEvent("e");
    producer.unregisterEvent("e");
    await settle();
    expect(producer.got).toEqual([new MessageEventStart("e")]);
  });
});

describe("the events of a kernel", () => {
  test("are there before the first process, and open unless they say otherwise (§2.6)", async () => {
    const kernel = createKernel({ events: { news: { bufferLimit: 2 }, closed: { open: false } } });
    const probe = inside(kernel.spawn(Probe, { args: [(starting) => void starting.linkEvent("news")] }));
    inside(kernel.spawn(Probe)).sendEvent("news", undefined, "hello");
    expect(() => probe.sendEvent("closed", undefined, 1)).toThrow(code("actor.event_owner"));
    await settle();
    expect(probe.got).toMatchObject([{ message: "hello" }]);
    expect(() => createKernel({ events: { core: {} } })).toThrow(code("actor.event_taken"));
    await kernel.stop();
  });

  test("include core, which is the kernel's own and keeps its last thousand messages (§2.6)", () => {
    const { kernel } = stage();
    const stranger = inside(kernel.spawn(Probe));
    expect(kernel.eventInfo("core")).toMatchObject({ producer: kernel.core, open: false, buffered: 0 });
    expect(() => kernel.unregisterEvent("core")).toThrow(code("actor.event_owner"));
    expect(() => stranger.registerEvent("core")).toThrow(code("actor.event_taken"));
    expect(() => stranger.sendEvent("core", undefined, 1)).toThrow(code("actor.event_owner"));
    expect(stranger.monitorEvent("core")).toEqual([]);
  });

  test("let the kernel publish what comes and goes, until it has stopped (§2.6)", () => {
    const tables = new Tables("a@b", new VirtualClock());
    const publish = (node: number) => publishCore(tables, { kind: "node_connected", node: `n@${node}` });
    publish(0);
    openBus(tables);
    for (let node = 1; node <= 1_001; node++) publish(node);
    tables.state = "stopped";
    publish(1_002);
    const kept = tables.events
      .get("core")
      ?.buffered()
      .map(({ message }) => (message as { node: string }).node);
    expect([kept?.length, kept?.at(0), kept?.at(-1)]).toEqual([1_000, "n@2", "n@1001"]);
  });
});
