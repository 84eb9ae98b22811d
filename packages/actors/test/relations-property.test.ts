import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Alias, type Kernel, MessageDown, type MessageExit, type PID, type Reason } from "../src/index.ts";
import { inside, Probe, settle, stage } from "./probe.ts";

const COUNT = 4;
const boom = new Error("boom");
type Kind = "link" | "monitor";
type What = "pid" | "name" | "alias" | "event";

/** One consumer watching one thing of one process. */
interface Known {
  readonly consumer: number;
  readonly kind: Kind;
  readonly what: What;
  readonly target: number;
}

interface Watched {
  readonly probe: Probe;
  readonly pid: PID;
  readonly alias: Alias;
  isAlive: boolean;
  /** What of it can still be watched. */
  readonly has: Set<What>;
  /** What it is to get, in no order. */
  readonly due: string[];
}

class World {
  readonly kernel: Kernel;
  readonly all: Watched[];
  known: Known[] = [];

  constructor() {
    this.kernel = stage().kernel;
    this.all = Array.from({ length: COUNT }, (_, index) => {
      const probe = inside(this.kernel.spawn(Probe, { name: `name ${index}` }));
      probe.setTrapExit(true);
      probe.registerEvent(`event ${index}`);
      const has = new Set<What>(["pid", "name", "alias", "event"]);
      return { probe, pid: probe.self, alias: probe.createAlias(), isAlive: true, has, due: [] };
    });
  }

  /** Tells everybody who watches these things of `target`, once. */
  tell(target: number, whats: readonly What[], reason: string): void {
    for (const what of whats) {
      this.all[target]?.has.delete(what);
      const told = this.known.filter((each) => each.target === target && each.what === what);
      this.known = this.known.filter((each) => !told.includes(each));
      for (const { consumer, kind } of told) {
        if (this.all[consumer]?.isAlive) this.all[consumer]?.due.push(`${kind} ${what} ${target} ${reason}`);
      }
    }
  }

  ends(target: number, reason: string): void {
    const watched = this.all[target] as Watched;
    watched.isAlive = false;
    this.known = this.known.filter(({ consumer }) => consumer !== target);
    this.tell(target, [...watched.has], reason);
  }
}

interface Step {
  readonly act: "add" | "remove" | "withdraw" | "exit" | "kill" | "throw" | "busy";
  readonly who: number;
  readonly target: number;
  readonly kind: Kind;
  readonly what: What;
}

const step: fc.Arbitrary<Step> = fc.record({
  act: fc.constantFrom(...(["add", "add", "add", "add", "remove", "withdraw", "exit", "kill", "throw"] as const)),
  who: fc.nat(COUNT - 1),
  target: fc.nat(COUNT - 1),
  kind: fc.constantFrom("link" as const, "monitor" as const),
  what: fc.constantFrom<What>("pid", "name", "alias", "event"),
});

const addresses = (world: World, what: What, target: number): unknown =>
  ({ pid: world.all[target]?.pid, name: `name ${target}`, alias: world.all[target]?.alias, event: `event ${target}` })[what];

/** Adds or removes a relation of the real ones. */
function change(world: World, { act, who, kind, what, target }: Step): void {
  const probe = world.all[who]?.probe as Probe;
  const to = addresses(world, what, target) as never;
  const isAdd = act === "add";
  if (what === "event") {
    if (kind === "link") isAdd ? probe.linkEvent(to) : probe.unlinkEvent(to);
    else isAdd ? probe.monitorEvent(to) : probe.demonitorEvent(to);
  } else if (kind === "link") isAdd ? probe.link(to) : probe.unlink(to);
  else isAdd ? probe.monitor(to) : probe.demonitor(to);
}

/** What the change must throw, if anything. */
function refusal(world: World, { act, who, kind, what, target }: Step): string | undefined {
  const consumer = world.all[who] as Watched;
  const found = world.known.some(
    (each) => each.consumer === who && each.kind === kind && each.what === what && each.target === target,
  );
  if (!consumer.isAlive) return "actor.not_allowed";
  if (!world.all[target]?.has.has(what)) {
    if (what === "event") return "actor.event_unknown";
    if (act === "remove") return "actor.target_unknown";
    return what === "alias" ? "actor.alias_unknown" : "actor.process_unknown";
  }
  if (act === "remove") return found ? undefined : "actor.target_unknown";
  if (who === target && what !== "event") return "actor.not_allowed";
  return found ? "actor.target_exists" : undefined;
}

function relate(world: World, given: Step): void {
  const { act, who, kind, what, target } = given;
  const refused = refusal(world, given);
  if (refused !== undefined) {
    expect(() => change(world, given)).toThrow(expect.objectContaining({ code: refused }));
    return;
  }
  change(world, given);
  if (act === "add") world.known.push({ consumer: who, kind, what, target });
  else {
    world.known = world.known.filter(
      (each) => !(each.consumer === who && each.kind === kind && each.what === what && each.target === target),
    );
  }
}

function withdraw(world: World, what: What, target: number): void {
  const { probe, alias } = world.all[target] as Watched;
  if (what === "name") world.kernel.unregisterName(`name ${target}`);
  else if (what === "alias") probe.deleteAlias(alias);
  else probe.unregisterEvent(`event ${target}`);
  world.tell(target, [what], "actor.unregistered");
}

function take(world: World, given: Step): void {
  const { act, target, what } = given;
  const { pid, has, isAlive } = world.all[target] as Watched;
  if (act === "add" || act === "remove") relate(world, given);
  else if (!isAlive) return;
  else if (act === "withdraw") {
    if (what !== "pid" && has.has(what)) withdraw(world, what, target);
  } else if (act === "kill") {
    world.kernel.kill(pid);
    world.ends(target, "kill");
  } else {
    if (act === "exit") world.kernel.exit(pid, "shutdown");
    else world.kernel.send(pid, () => Promise.reject(boom), "max");
    world.ends(target, act === "exit" ? "shutdown" : "actor.panic");
  }
}

function textOf(world: World, message: unknown): string {
  const { kind, target, reason } = message as MessageDown | MessageExit;
  const index = world.all.findIndex(({ pid, alias }, at) => {
    const name = (target as { name?: string }).name;
    return target === pid || target === alias || name === `name ${at}` || name === `event ${at}`;
  });
  const why = (reason as { code?: string }).code ?? (reason as Reason);
  return `${message instanceof MessageDown ? "monitor" : "link"} ${kind} ${index} ${why}`;
}

/** Both ends know the same relations as the model. */
function check(world: World): void {
  for (const [index, { isAlive, pid, probe, due, has }] of world.all.entries()) {
    expect(probe.got.map((message) => textOf(world, message)).toSorted()).toEqual(due.toSorted());
    if (!isAlive) continue;
    const own = world.known.filter(({ consumer }) => consumer === index);
    const info = world.kernel.processInfo(pid);
    expect(info.links).toHaveLength(own.filter(({ kind }) => kind === "link").length);
    expect(info.monitors).toHaveLength(own.filter(({ kind }) => kind === "monitor").length);
    if (!has.has("event")) continue;
    const subscribers = world.known.filter(({ what, target }) => what === "event" && target === index).length;
    expect(world.kernel.eventInfo(`event ${index}`).subscribers).toBe(subscribers);
  }
}

describe("links and monitors", () => {
  test("are each told once, of what was watched and why, and known at both ends or at neither (R1, R2, R3)", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (list) => {
        const world = new World();
        for (const each of list) {
          take(world, each);
          await settle();
          check(world);
        }
        await world.kernel.stop();
        expect(world.kernel.info()).toMatchObject({ processes: 0, names: 0, aliases: 0, events: [] });
      }),
      { numRuns: 150 },
    );
  });

  test("of processes that end one through the other reach everybody in the chain once, whatever its shape", async () => {
    const edges = fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(edges, fc.nat(11), async (list, first) => {
        const { kernel } = stage();
        const probes = Array.from({ length: 12 }, () => inside(kernel.spawn(Probe)));
        const follows = new Map<number, Set<number>>();
        for (const [from, to] of list) {
          if (from === to || follows.get(to)?.has(from)) continue;
          (probes[from] as Probe).link((probes[to] as Probe).self);
          follows.set(to, (follows.get(to) ?? new Set()).add(from));
        }
        const reached = new Set<number>();
        const visit = (at: number): void => {
          if (reached.has(at)) return;
          reached.add(at);
          for (const next of follows.get(at) ?? []) visit(next);
        };
        visit(first);
        kernel.exit((probes[first] as Probe).self, boom);
        for (let turn = 0; turn < 12; turn++) await settle();
        expect(probes.map(({ ended }) => ended)).toEqual(probes.map((_, index) => (reached.has(index) ? [boom] : [])));
        await kernel.stop();
      }),
      { numRuns: 150 },
    );
  });
});
