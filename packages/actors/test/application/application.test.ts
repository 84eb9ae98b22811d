import { describe, expect, test } from "vitest";
import { Actor, type ApplicationMode, type ApplicationSpec, defineApplication, type Kernel, type PID } from "../../src/index.ts";
import { settle } from "../probe.ts";
import { logged, Member, written } from "./fixture.ts";

const code = (value: string) => expect.objectContaining({ code: value });

/** Members of the labels, all writing to `steps`. */
const members = (steps: string[], ...labels: string[]) => labels.map((label) => ({ actor: Member, args: [{ label, steps }] }));
const state = (kernel: Kernel, name: string): string => kernel.applicationInfo(name).state;

describe("an application", () => {
  test("is loaded, started, stopped back to loaded, and unloaded, but not while it runs (110)", async () => {
    const { kernel } = logged();
    kernel.loadApplication(written("shop", []));
    expect(state(kernel, "shop")).toBe("loaded");
    await kernel.startApplication("shop");
    expect(state(kernel, "shop")).toBe("running");
    expect(() => kernel.unloadApplication("shop")).toThrow(code("actor.application_running"));
    await expect(kernel.startApplication("shop")).rejects.toThrow(code("actor.application_running"));
    await kernel.stopApplication("shop");
    await kernel.stopApplication("shop");
    expect(state(kernel, "shop")).toBe("loaded");
    await kernel.startApplication("shop");
    await kernel.stopApplication("shop");
    kernel.unloadApplication("shop");
    expect(kernel.applications()).toEqual([]);
    expect(kernel.info().processes).toBe(0);
    await expect(kernel.startApplication("shop")).rejects.toThrow(code("actor.application_unknown"));
  });

  test("goes through its callbacks, members and their ends in one order", async () => {
    const { kernel } = logged();
    const steps: string[] = [];
    kernel.loadApplication(written("shop", steps, { group: members(steps, "a", "b") }));
    await kernel.startApplication("shop");
    await kernel.stopApplication("shop");
    expect(steps).toEqual([
      "shop init",
      "a begins",
      "b begins",
      "shop start",
      "shop stop normal",
      "b ends",
      "a ends",
      "shop terminate normal",
    ]);
  });

  test("checks what it is made of before anything is loaded", () => {
    const { kernel } = logged();
    const refused = (spec: Partial<ApplicationSpec>, problem: string): void =>
      expect(() => kernel.loadApplication(written("shop", [], spec))).toThrow(code(problem));
    refused({ name: "" }, "actor.application_spec");
    refused({ name: "x".repeat(256) }, "actor.application_spec");
    refused({ group: [] }, "actor.application_spec");
    refused({ group: [{ actor: undefined as unknown as typeof Member }] }, "actor.application_spec");
    refused({ mode: "eternal" as "permanent" }, "actor.incorrect");
    refused({ logLevel: "loud" as "info" }, "actor.incorrect");
    refused({ stopTimeoutMs: 0 }, "actor.incorrect");
    refused({ depends: [] } as Partial<ApplicationSpec>, "actor.incorrect");
    refused({ group: [{ actor: Member, options: { initTimeoutMs: 15_001 } }] }, "actor.not_allowed");
    expect(kernel.applications()).toEqual([]);
    kernel.loadApplication(written("shop", []));
    refused({}, "actor.application_taken");
    expect(() => kernel.unloadApplication("other")).toThrow(code("actor.application_unknown"));
  });

  test("takes the arguments of its members' init, and nothing else compiles", async () => {
    class Till extends Actor<string> {
      static opened: unknown[] = [];
      override init(start: number, currency?: string): void {
        Till.opened.push(start, currency);
      }
    }
    const { kernel } = logged();
    kernel.loadApplication(
      defineApplication({
        name: "shop",
        group: [
          { actor: Till, args: [5] },
          { actor: Till, args: [6, "EUR"] },
        ],
      }),
    );
    await kernel.startApplication("shop");
    expect(Till.opened).toEqual([5, undefined, 6, "EUR"]);
    const wrong = (): void => {
      // @ts-expect-error init needs a number
      defineApplication({ name: "shop", group: [{ actor: Till, args: ["5"] }] });
      // @ts-expect-error init needs an argument
      defineApplication({ name: "shop", group: [{ actor: Till }] });
      // @ts-expect-error no such setting
      defineApplication({ name: "shop", group: [{ actor: Till, args: [5] }], depends: ["db"] });
    };
    expect(wrong).toBeTypeOf("function");
  });

  test("can be an object of a class, whose callbacks share what it holds", async () => {
    class Shop implements ApplicationSpec {
      readonly name = "shop";
      readonly seen: string[] = [];
      readonly group = members([], "a");
      init(): void {
        this.seen.push("opened");
      }
      terminate(): void {
        this.seen.push("closed");
      }
    }
    const { kernel } = logged();
    const shop = new Shop();
    kernel.loadApplication(shop);
    await kernel.startApplication("shop");
    await kernel.stopApplication("shop");
    expect(shop.seen).toEqual(["opened", "closed"]);
  });
});

describe("a dependency", () => {
  test("that is not loaded refuses the start, and once loaded is started with it (110)", async () => {
    const { kernel } = logged();
    const steps: string[] = [];
    kernel.loadApplication(written("shop", steps, { dependsOn: ["db"] }));
    await expect(kernel.startApplication("shop")).rejects.toThrow(code("actor.application_depends"));
    expect(state(kernel, "shop")).toBe("loaded");
    kernel.loadApplication(written("db", steps));
    await kernel.startApplication("shop");
    expect(kernel.applications().map(({ name, state }) => [name, state])).toEqual([
      ["shop", "running"],
      ["db", "running"],
    ]);
    expect(steps.filter((step) => step.endsWith("start"))).toEqual(["db start", "shop start"]);
  });

  test.each(["temporary", "transient", "permanent"] satisfies ApplicationMode[])(
    "is started too when the mode %s is given, of any depth, in its own mode",
    async (mode) => {
      const { kernel } = logged();
      kernel.loadApplication(written("shop", [], { dependsOn: ["db"] }));
      kernel.loadApplication(written("db", [], { dependsOn: ["disk"], mode: "transient" }));
      kernel.loadApplication(written("disk", []));
      await kernel.startApplication("shop", { mode });
      expect(kernel.applications().map(({ state, mode }) => [state, mode])).toEqual([
        ["running", mode],
        ["running", "transient"],
        ["running", "temporary"],
      ]);
    },
  );

  test("that does not start is the cause of the refusal, and leaves both loaded", async () => {
    const { kernel } = logged();
    kernel.loadApplication(written("shop", [], { dependsOn: ["db"] }));
    kernel.loadApplication(
      written("db", [], {
        init: () => {
          throw new Error("no disk");
        },
      }),
    );
    await expect(kernel.startApplication("shop")).rejects.toMatchObject({
      code: "actor.application_depends",
      cause: { message: "no disk" },
    });
    expect(kernel.applications().map(({ state }) => state)).toEqual(["loaded", "loaded"]);
  });

  test("that is being started is waited for", async () => {
    const { kernel } = logged();
    const steps: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    kernel.loadApplication(written("db", steps, { init: () => promise }));
    kernel.loadApplication(written("shop", steps, { dependsOn: ["db"] }));
    const both = [kernel.startApplication("db"), kernel.startApplication("shop")];
    await expect(kernel.startApplication("shop")).rejects.toThrow(code("actor.application_state"));
    await settle();
    expect(steps).toEqual([]);
    resolve();
    await Promise.all(both);
    expect(steps.filter((step) => step.endsWith("start"))).toEqual(["db start", "shop start"]);
  });

  test("in a circle is refused, and two that share one are not", async () => {
    const { kernel } = logged();
    kernel.loadApplication(written("a", [], { dependsOn: ["b"] }));
    kernel.loadApplication(written("b", [], { dependsOn: ["c"] }));
    kernel.loadApplication(written("c", [], { dependsOn: ["a"] }));
    const starts = await Promise.allSettled(["a", "b"].map((name) => kernel.startApplication(name)));
    expect(starts.map((start) => (start as PromiseRejectedResult).reason)).toEqual([
      code("actor.application_depends"),
      code("actor.application_depends"),
    ]);
    kernel.unloadApplication("c");
    kernel.loadApplication(written("c", []));
    kernel.loadApplication(written("d", [], { dependsOn: ["b", "c", "a"] }));
    await kernel.startApplication("d");
    expect(kernel.applications().map(({ state }) => state)).toEqual(["running", "running", "running", "running"]);
  });
});

describe("a start that fails", () => {
  test("in init leaves nothing, and terminate is not called", async () => {
    const { kernel } = logged();
    const steps: string[] = [];
    const init = () => Promise.reject(new Error("no"));
    kernel.loadApplication(written("shop", steps, { init }));
    await expect(kernel.startApplication("shop")).rejects.toThrow("no");
    expect([state(kernel, "shop"), steps]).toEqual(["loaded", []]);
  });

  test("in a member kills those that were started, waits for their end, and calls terminate (112)", async () => {
    const { kernel } = logged();
    const steps: string[] = [];
    const group = [
      ...members(steps, "a", "b"),
      { actor: Member, args: [{ label: "c", steps, fails: new Error("no port") }] },
      ...members(steps, "d"),
    ];
    kernel.loadApplication(written("shop", steps, { group }));
    await expect(kernel.startApplication("shop")).rejects.toThrow("no port");
    expect(steps).toEqual(["shop init", "a begins", "b begins", "c begins", "a ends", "b ends", "shop terminate no port"]);
    expect([state(kernel, "shop"), kernel.info().processes]).toEqual(["loaded", 0]);
  });

  test("comes of a permanent member that ends while others start", async () => {
    const { kernel } = logged();
    const steps: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const group = [...members(steps, "a"), { actor: Member, args: [{ label: "b", steps, begin: () => promise }] }];
    kernel.loadApplication(written("shop", steps, { group, mode: "permanent" }));
    const start = expect(kernel.startApplication("shop")).rejects.toThrow(code("actor.application_stopping"));
    await settle();
    kernel.kill(kernel.applicationInfo("shop").members[0] as PID);
    await settle();
    resolve();
    await start;
    expect(steps.slice(-1)).toEqual(["shop terminate kill"]);
    expect(kernel.info().processes).toBe(0);
  });

  test("comes of a stop meanwhile, and the stop waits for its end", async () => {
    const { kernel } = logged();
    const steps: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    kernel.loadApplication(written("shop", steps, { init: () => promise }));
    const start = expect(kernel.startApplication("shop")).rejects.toThrow(code("actor.application_stopping"));
    await settle();
    const stop = kernel.stopApplication("shop");
    resolve();
    await Promise.all([start, stop]);
    expect([state(kernel, "shop"), steps]).toEqual(["loaded", ["shop terminate normal"]]);
  });
});
