import { describe, expect, test } from "vitest";
import { EventName } from "../../src/index.ts";
import { inside, Probe } from "../probe.ts";
import { join, node, pair, quiet } from "./cluster.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const shop = { name: "shop", group: [{ actor: Probe, name: "clerk" }] };

describe("an application started from another node", () => {
  test("runs there in the mode that was asked for, and names the node that asked (117)", async () => {
    const [a, b] = await pair();
    b.kernel.loadApplication(shop);
    b.kernel.enableApplicationStart("shop");
    await a.kernel.remoteStartApplication("b@here", "shop", { mode: "permanent" });
    expect(b.kernel.applicationInfo("shop")).toMatchObject({ state: "running", mode: "permanent", requestedBy: "a@here" });
    await b.kernel.stopApplication("shop");
    await a.kernel.remoteStartApplication("b@here", "shop");
    expect(b.kernel.applicationInfo("shop")).toMatchObject({ state: "running", mode: "temporary" });
    await b.kernel.stop();
  });

  test("needs to be enabled, for the node that asks (117)", async () => {
    const [a, b] = await pair();
    b.kernel.loadApplication(shop);
    const start = (): Promise<void> => a.kernel.remoteStartApplication("b@here", "shop");
    await expect(start()).rejects.toEqual(code("actor.name_unknown"));
    b.kernel.enableApplicationStart("shop", { nodes: ["c@here"] });
    await expect(start()).rejects.toEqual(code("actor.not_allowed"));
    b.kernel.enableApplicationStart("shop", { nodes: ["a@here"] });
    await start();
    await expect(start()).rejects.toEqual(code("actor.application_running"));
    b.kernel.disableApplicationStart("shop", { nodes: ["a@here", "c@here"] });
    await expect(start()).rejects.toEqual(code("actor.not_allowed"));
    b.kernel.disableApplicationStart("shop");
    await expect(start()).rejects.toEqual(code("actor.name_unknown"));
    expect(() => b.kernel.disableApplicationStart("shop")).toThrow(code("actor.name_unknown"));
    await b.kernel.stop();
  });

  test("is not allowed where the flag is off, nor on the own node, and fails as it fails there (117)", async () => {
    const [a, b] = [node("a"), node("b", { flags: { applicationStart: false } })];
    await join(a, b);
    for (const { kernel } of [a, b]) kernel.enableApplicationStart("shop");
    await expect(a.kernel.remoteStartApplication("b@here", "shop")).rejects.toEqual(code("actor.not_allowed"));
    await expect(a.kernel.remoteStartApplication("a@here", "shop")).rejects.toEqual(code("actor.not_allowed"));
    await expect(b.kernel.remoteStartApplication("a@here", "shop")).rejects.toEqual(code("actor.application_unknown"));
    await expect(b.kernel.remoteStartApplication("z@here", "shop")).rejects.toEqual(code("actor.no_route"));
  });

  test("begins with the environment of the node that asked only where that exposes it", async () => {
    for (const isExposed of [false, true]) {
      const a = node("a", { exposeEnv: { applicationStart: isExposed } }, undefined, { region: "eu" });
      const b = node("b");
      await join(a, b);
      b.kernel.loadApplication(shop);
      b.kernel.enableApplicationStart("shop");
      await a.kernel.remoteStartApplication("b@here", "shop");
      const clerk = b.kernel.whereIs("clerk");
      expect(clerk && inside(clerk).env("region")).toBe(isExposed ? "eu" : undefined);
      await b.kernel.stop();
    }
  });
});

describe("the event core", () => {
  test("says which nodes come and go, also to a subscriber on another node", async () => {
    const [a, b, c] = [node("a"), node("b"), node("c")];
    await join(a, b);
    const near = inside(a.kernel.spawn(Probe));
    const far = inside(b.kernel.spawn(Probe));
    near.monitorEvent("core");
    await far.monitorEvent(new EventName("core", "a@here"));
    await join(a, c);
    a.kernel.disconnect("c@here");
    await quiet();
    const seen = [
      { message: { kind: "node_connected", node: "c@here" } },
      { message: { kind: "node_disconnected", node: "c@here" } },
    ];
    expect(near.got).toMatchObject(seen);
    expect(far.got).toMatchObject(seen);
  });
});
