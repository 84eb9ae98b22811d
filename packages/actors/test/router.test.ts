import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Call,
  MessageRouteFailed,
  type PID,
  type Reason,
  type Ref,
  Router,
  type RouterSpec,
  type RouteSpec,
} from "../src/index.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const code = (value: string) => expect.objectContaining({ code: value });

/** Where it should go, and what it is. */
type Parcel = { to: string; what?: unknown };

let made: Front;
class Front extends Router<Parcel | MessageRouteFailed, Call<Parcel, unknown>> {
  readonly own: unknown[] = [];
  readonly ended: Reason[] = [];
  choose: (parcel: Parcel) => string | undefined | Promise<string | undefined> = ({ to }) => to;
  override init(routes: readonly RouteSpec[] = []): RouterSpec {
    made = this;
    return { routes };
  }
  override routeMessage(_from: PID, message: Parcel | MessageRouteFailed) {
    return this.choose(message as Parcel);
  }
  override routeCall(_from: PID, _ref: Ref, request: Parcel) {
    return this.choose(request);
  }
  override handleMessage(_from: PID, message: unknown): void {
    this.own.push(message);
  }
  override handleCall(): unknown {
    return "router";
  }
  override handleEvent({ message }: { message: unknown }): void {
    this.own.push(message);
  }
  override terminate(reason: Reason): void {
    this.ended.push(reason);
  }
}

/** A route whose process answers a call with the route's name and how often it was started. */
function counted(name: string, starts: Probe[] = [], options: RouteSpec["options"] = {}): RouteSpec {
  const setUp = (probe: Probe): void => {
    const life = starts.push(probe);
    probe.answer = () => `${name}${life}`;
  };
  return { name, actor: Probe, args: [setUp], options };
}

/** A route whose process starts when `gate` says so, or fails with it. */
function slowly(name: string, gates: Promise<void>[]): RouteSpec {
  class Slow extends Probe {
    override async init(): Promise<void> {
      await gates.shift();
      super.init((probe) => {
        probe.answer = () => `slow ${name}`;
      });
    }
  }
  return { name, actor: Slow as never };
}

function gate(): { readonly promise: Promise<void>; readonly open: () => void; readonly fail: (error: Error) => void } {
  let open: () => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const promise = new Promise<void>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { promise, open: () => open(), fail: (error) => fail(error) };
}

function routed(...routes: RouteSpec[]) {
  const on = stage();
  const router = on.kernel.spawn(Front, { args: [routes] }) as PID<Parcel, Call<Parcel, unknown>>;
  const ask = (to: string): Promise<unknown> => on.kernel.call(router, { to });
  return { ...on, router, behaviour: made, ask };
}

describe("a router", () => {
  test("hands a call to the route of its choice, own routes first, then to whoever has the name", async () => {
    const { kernel, ask } = routed(counted("a"), counted("b"));
    const named = kernel.spawn(Probe, { name: "c" });
    inside(named).answer = () => "named c";
    kernel.spawn(Probe, { name: "a" });
    expect([await ask("a"), await ask("b"), await ask("c")]).toEqual(["a1", "b1", "named c"]);
  });

  test("hands a message on with its sender, and a choice may take time while later mail waits", async () => {
    const { kernel, router, behaviour } = routed();
    const froms: unknown[] = [];
    class Noting extends Probe {
      override handleMessage(from: PID, message: unknown): void {
        froms.push([from, message]);
      }
    }
    await behaviour.addRoute({ name: "a", actor: Noting });
    const { promise, open } = gate();
    behaviour.choose = ({ what }) => (what === 1 ? promise.then(() => "a") : "a");
    const sender = inside(kernel.spawn(Probe));
    for (const what of [1, 2]) sender.send(router, { to: "a", what });
    await settle();
    expect(froms).toEqual([]);
    open();
    await settle();
    expect(froms).toEqual([
      [sender.self, { to: "a", what: 1 }],
      [sender.self, { to: "a", what: 2 }],
    ]);
  });

  test("keeps mail of a higher priority, events, and answers to its own requests", async () => {
    const { kernel, router, behaviour } = routed(counted("a"));
    const token = kernel.registerEvent("news");
    behaviour.linkEvent("news");
    behaviour.handleResponse = ({ result }) => void behaviour.own.push(result);
    behaviour.sendRequest(kernel.spawn(Probe), "mine");
    kernel.sendEvent("news", token, "event");
    kernel.send(router, { to: "a" }, "high");
    kernel.send(router, { to: "a" }, "max");
    await settle();
    expect(behaviour.own).toEqual([{ to: "a" }, { to: "a" }, "event", "mine"]);
    expect(await kernel.call(router, { to: "a" }, { priority: "high" })).toBe("router");
  });

  test("discards what it chooses no route for, and the caller gets actor.discarded", async () => {
    const { kernel, router, behaviour, ask } = routed();
    behaviour.choose = ({ to }) => (to === "" ? "" : undefined);
    for (const to of ["", "x"]) {
      await expect(ask(to)).rejects.toThrow(code("actor.discarded"));
      kernel.send(router, { to });
    }
    await settle();
    expect(behaviour.own).toEqual([]);
    expect(await kernel.inspect(router)).toMatchObject({ messages_discarded: "4", messages_failed: "0" });
  });

  test("reports and discards what it has no method for", async () => {
    class Bare extends Router {
      override init(): RouterSpec {
        return { routes: [] };
      }
    }
    const { kernel, reports } = stage();
    const bare = kernel.spawn(Bare) as PID<unknown, Call<unknown, unknown>>;
    kernel.send(bare, "x");
    await expect(kernel.call(bare, "x")).rejects.toThrow(code("actor.discarded"));
    expect(reports.map(({ kind }) => kind)).toEqual(["unhandled", "unhandled"]);
  });

  test("hears of what it could not hand on, and a caller gets the reason", async () => {
    const { kernel, router, behaviour, ask } = routed(counted("full", [], { mailboxLimit: 1 }), counted("off"));
    const { promise, open } = gate();
    behaviour.disableRoute("off");
    kernel.registerName("me", router);
    kernel.send(router, { to: "full" });
    await settle();
    const full = behaviour.routes()[0]?.pid as PID;
    kernel.send(full, () => promise);
    await settle();
    kernel.send(full, "waits");
    const sender = kernel.spawn(Probe);
    for (const to of ["full", "off", "nobody", "me"]) inside(sender).send(router, { to });
    await expect(ask("full")).rejects.toThrow(code("actor.mailbox_full"));
    await expect(ask("off")).rejects.toThrow(code("actor.disabled"));
    await expect(ask("nobody")).rejects.toThrow(code("actor.route_unknown"));
    await expect(ask("me")).rejects.toThrow(code("actor.not_allowed"));
    const reasons = ["actor.mailbox_full", "actor.disabled", "actor.route_unknown", "actor.not_allowed"];
    const failed = ["full", "off", "nobody", "me"].map((to, i) => ({
      name: to,
      message: { to },
      reason: code(reasons[i] as string),
    }));
    expect(behaviour.own).toEqual([
      ...failed.map((each) => expect.objectContaining({ ...each, kind: "message", from: sender })),
      ...failed.map((each) => expect.objectContaining({ ...each, kind: "call", from: kernel.core })),
    ]);
    expect(behaviour.own[0]).toBeInstanceOf(MessageRouteFailed);
    open();
  });

  test("whose choice throws ends with actor.panic, and takes its routes along", async () => {
    const starts: Probe[] = [];
    const { kernel, router, behaviour } = routed(counted("a", starts));
    behaviour.choose = () => {
      throw new Error("lost");
    };
    kernel.send(router, { to: "a" });
    await settle();
    expect(behaviour.ended).toEqual([code("actor.panic")]);
    expect(starts[0]?.ended).toEqual([code("actor.panic")]);
    expect(kernel.info().processes).toBe(0);
  });

  test.each([
    [{ routes: [{ name: "", actor: Probe }] }, "name of at least one character"],
    [{ routes: [{ name: "a", actor: Probe, arg: 1 }] }, "no option arg"],
    [{}, "gives `{ routes"],
  ])("refuses the specification %j and leaves nothing", async (spec, message) => {
    class Wrong extends Router {
      override init(): RouterSpec {
        return spec as never;
      }
    }
    const { kernel } = stage();
    expect(() => kernel.spawn(Wrong)).toThrow(message);
    expect(kernel.info().processes).toBe(0);
  });

  test("whose route does not start does not start either, and leaves nothing", async () => {
    const { kernel } = stage();
    const { promise, fail } = gate();
    const routes = [slowly("a", [promise]), slowly("b", [promise]), counted("c")];
    const spawned = expect(kernel.spawn(Front, { args: [routes] })).rejects.toThrow("no");
    fail(new Error("no"));
    await spawned;
    await settle();
    expect(kernel.info().processes).toBe(0);
    expect(() => kernel.spawn(Front, { args: [[slowly("a", [promise]), counted("b"), counted("b")]] })).toThrow(
      code("actor.route_duplicate"),
    );
    await settle();
    expect(kernel.info().processes).toBe(0);
  });
});

describe("the table of routes", () => {
  test("takes a route in and out; a name that is there is actor.route_duplicate, one that is not actor.route_unknown", async () => {
    const { ask, behaviour } = routed(counted("a"));
    await behaviour.addRoute(counted("b"));
    expect(await ask("b")).toBe("b1");
    expect(() => behaviour.addRoute(counted("b"))).toThrow(code("actor.route_duplicate"));
    behaviour.removeRoute("a");
    await expect(ask("a")).rejects.toThrow(code("actor.route_unknown"));
    for (const act of ["removeRoute", "disableRoute", "enableRoute", "respawnRoute"] as const) {
      expect(() => behaviour[act]("a")).toThrow(code("actor.route_unknown"));
    }
    expect(() => behaviour.replaceRoute(counted("a"))).toThrow(code("actor.route_unknown"));
    expect(behaviour.routes().map(({ name, state }) => [name, state])).toEqual([["b", "running"]]);
  });

  test("lets a route that goes finish what it has, and does not start it again", async () => {
    const starts: Probe[] = [];
    const { kernel, router, behaviour } = routed(counted("a", starts));
    const { promise, open } = gate();
    kernel.send(router, { to: "a", what: 0 });
    await settle();
    kernel.send(starts[0]?.self as PID, () => promise);
    for (const what of [1, 2]) kernel.send(router, { to: "a", what });
    await settle();
    behaviour.removeRoute("a");
    open();
    await settle();
    expect(starts[0]?.got).toEqual([0, 1, 2].map((what) => ({ to: "a", what })));
    expect(starts[0]?.ended).toEqual(["shutdown"]);
    expect([starts.length, behaviour.ended]).toEqual([1, []]);
  });

  test("replaces a route: the new one is there before the old one gets no more, or the old one stays", async () => {
    const starts: Probe[] = [];
    const { ask, behaviour } = routed(counted("a", starts));
    const fail = (): never => {
      throw new Error("not me");
    };
    expect(() => behaviour.replaceRoute({ name: "a", actor: Probe, args: [fail] })).toThrow("not me");
    expect(await ask("a")).toBe("a1");
    await behaviour.replaceRoute({ ...counted("b"), name: "a" });
    expect(await ask("a")).toBe("b1");
    await settle();
    expect([starts.length, starts[0]?.ended]).toEqual([1, ["shutdown"]]);
  });

  test("disables a route, whose process ends, and enables it again", async () => {
    const starts: Probe[] = [];
    const { ask, behaviour } = routed(counted("a", starts));
    behaviour.disableRoute("a");
    behaviour.disableRoute("a");
    await settle();
    expect(starts[0]?.ended).toEqual(["shutdown"]);
    expect(behaviour.routes()).toEqual([{ name: "a", state: "disabled", pid: undefined, restarts: 0 }]);
    expect(() => behaviour.respawnRoute("a")).toThrow(code("actor.disabled"));
    expect(behaviour.replaceRoute(counted("a", starts))).toBeUndefined();
    expect(await behaviour.enableRoute("a")).toBe(starts[1]?.self);
    expect(behaviour.enableRoute("a")).toBeUndefined();
    expect(await ask("a")).toBe("a2");
  });

  test("of what takes time to start refuses changes meanwhile with actor.busy, and mail waits", async () => {
    const { behaviour, ask } = routed(counted("b"));
    const { promise, open } = gate();
    const added = behaviour.addRoute(slowly("a", [promise]));
    for (const act of ["removeRoute", "disableRoute", "respawnRoute"] as const) {
      expect(() => behaviour[act]("a")).toThrow(code("actor.busy"));
    }
    const answers = [ask("a"), ask("b")];
    await settle();
    expect(behaviour.routes()[1]).toMatchObject({ name: "a", state: "starting" });
    open();
    expect(await Promise.all(answers)).toEqual(["slow a", "b1"]);
    expect(behaviour.routes()[1]?.pid).toBe(await added);
  });

  test("does not keep a route that does not start", async () => {
    const { behaviour, ask } = routed();
    const { promise, fail } = gate();
    const added = expect(behaviour.addRoute(slowly("a", [promise]))).rejects.toThrow("not now");
    const call = expect(ask("a")).rejects.toThrow(code("actor.route_unknown"));
    fail(new Error("not now"));
    await Promise.all([added, call]);
    expect(behaviour.routes()).toEqual([]);
  });
});

describe("a route that ends", () => {
  test("is started again at once, with the same arguments and whatever the reason, without a limit", async () => {
    const starts: Probe[] = [];
    const { kernel, ask, behaviour } = routed(counted("a", starts));
    const reasons: Reason[] = ["normal", "shutdown", "kill", new Error("boom")];
    for (let i = 0; i < 40; i++) {
      kernel.exit(starts.at(-1)?.self as PID, reasons[i % 4] as Reason);
      await settle();
      expect(starts).toHaveLength(i + 2);
    }
    expect(await ask("a")).toBe("a41");
    expect(behaviour.routes()).toEqual([{ name: "a", state: "running", pid: starts[40]?.self, restarts: 40 }]);
  });

  test("while the router is busy is replaced once, when mail for it comes", async () => {
    const starts: Probe[] = [];
    const { kernel, router, ask, behaviour } = routed(counted("a", starts));
    const { promise, open } = gate();
    behaviour.choose = ({ to }) => promise.then(() => to);
    const answer = ask("a");
    await settle();
    kernel.kill(starts[0]?.self as PID);
    open();
    expect(await answer).toBe("a2");
    await settle();
    expect([starts.length, behaviour.ended, kernel.isAlive(router)]).toEqual([2, [], true]);
  });

  test("and does not start again stays down until it is respawned", async () => {
    let isBroken = false;
    const setUp = (): void => {
      if (isBroken) throw new Error("broken");
    };
    const { kernel, ask, behaviour } = routed({ name: "a", actor: Probe, args: [setUp] });
    expect(() => behaviour.respawnRoute("a")).toThrow(code("actor.route_running"));
    isBroken = true;
    kernel.kill(behaviour.routes()[0]?.pid as PID);
    await settle();
    expect(behaviour.routes()).toEqual([{ name: "a", state: "down", pid: undefined, restarts: 0 }]);
    await expect(ask("a")).rejects.toThrow(code("actor.process_terminated"));
    expect(() => behaviour.respawnRoute("a")).toThrow("broken");
    isBroken = false;
    expect(await behaviour.respawnRoute("a")).toBe(behaviour.routes()[0]?.pid);
    expect(await ask("a")).toEqual({ to: "a" });
  });

  test("and takes time to start holds mail for it back meanwhile", async () => {
    const again = gate();
    const gates = [Promise.resolve(), again.promise];
    const { kernel } = stage();
    const router = (await kernel.spawn(Front, { args: [[slowly("a", gates)]] })) as PID<Parcel, Call<Parcel, unknown>>;
    kernel.kill(made.routes()[0]?.pid as PID);
    await settle();
    const answer = kernel.call(router, { to: "a" });
    await settle();
    again.open();
    expect(await answer).toBe("slow a");
    expect(made.routes()[0]).toMatchObject({ state: "running", restarts: 1 });
  });

  test("is no exit for the router, but the exit of anybody else is", async () => {
    const { kernel, behaviour } = routed(counted("a"));
    kernel.kill(behaviour.routes()[0]?.pid as PID);
    await settle();
    expect(behaviour.ended).toEqual([]);
    inside(kernel.spawn(Probe)).sendExit(behaviour.self, "shutdown");
    await settle();
    expect(behaviour.ended).toEqual(["shutdown"]);
    expect(kernel.info().processes).toBe(1);
  });
});

describe("any order of mail, ends and changes", () => {
  const names = ["a", "b", "c"];
  const step = fc.tuple(
    fc.constantFrom("send", "send", "send", "kill", "add", "remove", "replace", "off", "on", "pause", "settle"),
    fc.nat(2),
  );

  test("leaves one process for each route that is not disabled, and loses no message to a route that lives", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80, size: "max" }), async (steps) => {
        const starts: Probe[] = [];
        const slow = (name: string): RouteSpec => {
          const react = ({ what }: Parcel) =>
            Number(what) % 3 === 0 ? new Promise((resolve) => setImmediate(resolve)) : undefined;
          const setUp = (probe: Probe) => {
            starts.push(probe);
            probe.react = (message) => (react(message as Parcel) as Promise<undefined> | undefined)?.then(() => undefined);
          };
          return { name, actor: Probe, args: [setUp] };
        };
        const { kernel, router, behaviour } = routed(...names.map(slow));
        let sent = 0;
        const acts: Record<string, (name: string) => unknown> = {
          send: (to) => kernel.send(router, { to, what: sent++ }),
          kill: (name) => {
            const pid = behaviour.routes().find((route) => route.name === name)?.pid;
            if (pid === undefined || !kernel.isAlive(pid)) return;
            // What waits in a mailbox goes with its process.
            const { state, mailbox } = kernel.processInfo(pid);
            if (state === "sleep" && mailbox.main === 0) kernel.kill(pid);
          },
          add: (name) => behaviour.addRoute(slow(name)),
          remove: (name) => behaviour.removeRoute(name),
          replace: (name) => behaviour.replaceRoute(slow(name)),
          off: (name) => behaviour.disableRoute(name),
          on: (name) => behaviour.enableRoute(name),
          pause: () => Promise.resolve(), // the router has handed mail on
          settle,
        };
        for (const [act, which] of steps) {
          try {
            const given = acts[act]?.(names[which] as string);
            if (given instanceof Promise) await given;
          } catch (error) {
            expect(error).toEqual(expect.objectContaining({ code: expect.stringMatching(/^actor\.route_(unknown|duplicate)$/) }));
          }
        }
        for (let turn = 0; turn < 40; turn++) await settle();
        const handled = starts.flatMap(({ got }) => got.map((message) => (message as Parcel).what));
        const failed = behaviour.own.map((each) => ((each as MessageRouteFailed).message as Parcel).what);
        expect([...handled, ...failed].toSorted((a, b) => Number(a) - Number(b))).toEqual(
          Array.from({ length: sent }, (_, i) => i),
        );
        const running = behaviour.routes().filter(({ state }) => state === "running");
        expect(kernel.info().processes).toBe(1 + running.length);
        for (const { pid } of running) expect(kernel.isAlive(pid as PID)).toBe(true);
        expect(behaviour.routes().filter(({ state }) => state === "starting" || state === "down")).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });
});
