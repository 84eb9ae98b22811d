import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isPanic, type Kernel, type PID, type Reason, type SupervisorSpec, type TreeNode } from "../src/index.ts";
import { Boss, bossOf } from "./boss.ts";
import { inside, Probe, type Stage, settle, stage } from "./probe.ts";
import { type ModelChild, type ModelReason, type ModelSpec, ModelSupervisor, type ModelWorld } from "./supervisor-model.ts";

const boom = new Error("boom");
const PERIOD_MS = 1_000;

const strategies = fc.constantFrom("transient" as const, "temporary" as const, "permanent" as const);
const named = fc.constantFrom("one_for_one" as const, "all_for_one" as const, "rest_for_one" as const);

const restarts = fc.option(
  fc
    .record({
      strategy: fc.option(strategies, { nil: undefined }),
      intensity: fc.option(fc.integer({ min: 1, max: 2 }), { nil: undefined }),
      onExceed: fc.constantFrom("terminate" as const, "disable" as const),
    })
    .map(({ strategy, intensity, onExceed }) => ({
      ...(strategy !== undefined && { strategy }),
      ...(intensity !== undefined && { intensity, onExceed }),
    })),
  { nil: undefined },
);

/** A supervisor of leaves and, up to a depth, of further supervisors. */
function specs(depth: number): fc.Arbitrary<ModelSpec> {
  const leaf = fc.record({ significant: fc.boolean() });
  const below = depth > 0 ? fc.record({ significant: fc.boolean(), below: specs(depth - 1) }) : leaf;
  const child: fc.Arbitrary<ModelChild> = fc.oneof({ weight: 3, arbitrary: leaf }, { weight: 1, arbitrary: below });
  const common = {
    strategy: strategies,
    intensity: fc.integer({ min: 0, max: 4 }),
    periodMs: fc.constant(PERIOD_MS),
    autoShutdown: fc.boolean(),
    keepOrder: fc.boolean(),
  };
  const withRestart = (children: ModelChild[], own: ({ [key: string]: unknown } | undefined)[]): ModelChild[] =>
    children.map((each, index) =>
      own[index] === undefined ? each : { ...each, restart: own[index] as ModelChild["restart"] & object },
    );
  const lists = fc.tuple(fc.array(child, { minLength: 1, maxLength: 4 }), fc.array(restarts, { minLength: 4, maxLength: 4 }));
  const ordinary = fc.record({ ...common, type: named, list: lists }).map(({ list: [children, own], ...rest }) => ({
    ...rest,
    children: rest.type === "one_for_one" ? withRestart(children, own) : children,
  }));
  const leaves = fc.tuple(fc.array(leaf, { minLength: 1, maxLength: 2 }), fc.array(restarts, { minLength: 2, maxLength: 2 }));
  const simple = fc
    .record({ ...common, type: fc.constant("simple_one_for_one" as const), list: leaves })
    .map(({ list: [children, own], ...rest }) => ({ ...rest, children: withRestart(children, own) }));
  return fc.oneof({ weight: 4, arbitrary: ordinary }, { weight: 1, arbitrary: simple });
}

/** The same specification for a real supervisor, which counts the starts of each child by its path. */
function real(spec: ModelSpec, path: string, starts: Map<string, number>): SupervisorSpec {
  const isSimple = spec.type === "simple_one_for_one";
  const children = spec.children.map(({ below, significant, restart }, index) => {
    const name = path === "" ? `${index}` : `${path}.${index}`;
    const count = (): void => void starts.set(name, (starts.get(name) ?? 0) + 1);
    const rest = { significant, ...(restart && { restart }) };
    if (below === undefined) return { name, actor: Probe, ...(isSimple ? {} : { args: [count] }), ...rest };
    const given = real(below, name, starts);
    class Counted extends Boss {
      override init(): SupervisorSpec {
        count();
        return super.init(given);
      }
    }
    return { name, actor: Counted as never, ...rest };
  });
  return { ...spec, children };
}

interface Tree extends Stage {
  readonly boss: Boss;
  readonly starts: Map<string, number>;
  readonly model: ModelSupervisor;
  readonly world: ModelWorld;
  ended: ModelReason | undefined;
}

function grow(spec: ModelSpec): Tree {
  const on = stage();
  const starts = new Map<string, number>();
  const world: ModelWorld = { nowMs: 0, starts: new Map() };
  const tree = { ...on, starts, world, ended: undefined as ModelReason | undefined };
  const model = new ModelSupervisor(spec, "", world, (reason) => {
    tree.ended = reason;
  });
  const boss = bossOf(on.kernel.spawn(Boss, { args: [real(spec, "", starts)] }) as PID);
  return Object.assign(tree, { model, boss });
}

type Fault = "normal" | "shutdown" | "boom" | "kill" | "panic";

/** Ends a process. */
function strike(kernel: Kernel, pid: PID, fault: Fault): void {
  if (fault === "kill") kernel.kill(pid);
  else if (fault === "panic") kernel.send(pid, () => Promise.reject(boom));
  else kernel.exit(pid, fault === "boom" ? boom : fault);
}

function kindOf(reason: Reason | undefined): ModelReason | undefined {
  if (reason === undefined || reason === "normal" || reason === "shutdown" || reason === "kill") return reason;
  if (reason === boom) return "boom";
  return isPanic(reason) ? "panic" : "exceeded";
}

/** All supervisors of the model that are up, with the real ones. */
function* pairs(kernel: Kernel, model: ModelSupervisor, boss: Boss): Generator<[ModelSupervisor, Boss]> {
  yield [model, boss];
  for (const { below, path } of model.slots) {
    const pid = kernel.whereIs(path);
    if (below !== undefined && pid !== undefined) yield* pairs(kernel, below, bossOf(pid));
  }
}

interface Step {
  readonly act: "strike" | "strike supervisor" | "disable" | "enable" | "start" | "wait";
  readonly where: number;
  readonly fault: Fault;
}

const faults = fc.constantFrom<Fault>("normal", "shutdown", "boom", "kill", "panic");
const steps = fc.array(
  fc.record({
    act: fc.constantFrom(
      ...(["strike", "strike", "strike", "strike supervisor", "disable", "enable", "start", "start", "wait"] as const),
    ),
    where: fc.nat(1_000),
    fault: faults,
  }),
  { maxLength: 14 },
);

/** One supervisor of the model, the real one, one of its specifications, and the number of an instance. */
interface Aim {
  readonly mine: ModelSupervisor;
  readonly boss: Boss;
  readonly slot: ModelSupervisor["slots"][number];
  readonly where: number;
  readonly isSimple: boolean;
}

function aim({ kernel, model, boss: top }: Tree, where: number): Aim {
  const all = [...pairs(kernel, model, top)];
  const [mine, boss] = all[where % all.length] as [ModelSupervisor, Boss];
  const slot = mine.slots[where % mine.slots.length] as Aim["slot"];
  return { mine, boss, slot, where, isSimple: mine.spec.type === "simple_one_for_one" };
}

const acts: Record<Exclude<Step["act"], "wait">, (kernel: Kernel, at: Aim, fault: Fault) => void> = {
  "strike supervisor": (kernel, { mine, boss }, fault) => {
    // The children of a killed supervisor end by themselves; with supervisors among them that takes longer than a restart.
    const used = fault === "kill" && mine.slots.some(({ child }) => child.below !== undefined) ? "boom" : fault;
    strike(kernel, boss.self, used);
    mine.end(used);
  },
  strike: (kernel, { mine, boss, slot, where, isSimple }, fault) => {
    if (isSimple) {
      const running = boss.children().filter(({ spec }) => spec === slot.path);
      const at = where % Math.max(1, running.length);
      const instance = slot.instances[at];
      if (instance === undefined) return;
      strike(kernel, running[at]?.pid as PID, fault);
      mine.instanceEnds(slot, instance, fault);
    } else if (slot.isUp && slot.below === undefined) {
      strike(kernel, kernel.whereIs(slot.path) as PID, fault);
      mine.childEnds(slot, fault);
    }
  },
  disable: (_kernel, { mine, boss, slot, isSimple }) => {
    boss.disableChild(slot.path);
    if (slot.isDisabled || !(slot.isUp || slot.instances.length > 0)) return;
    slot.isDisabled = true;
    if (isSimple) slot.instances.length = 0;
    else mine.childEnds(slot, "shutdown");
  },
  enable: (_kernel, { mine, boss, slot, isSimple }) => {
    boss.enableChild(slot.path);
    if (!slot.isDisabled) return;
    slot.isDisabled = false;
    slot.times = [];
    if (!isSimple) mine.start(slot);
  },
  start: (_kernel, { mine, boss, slot, isSimple }) => {
    if (slot.isDisabled || (!isSimple && slot.isUp)) return;
    boss.startChild(slot.path);
    if (isSimple) slot.instances.push({ restarts: 0, times: [] });
    else mine.start(slot);
  },
};

/** Does one step to both, and waits until nothing happens any more. */
async function take(tree: Tree, { act, where, fault }: Step): Promise<void> {
  if (act === "wait") {
    tree.world.nowMs += PERIOD_MS + 1;
    await tree.clock.advance(PERIOD_MS + 1);
  } else acts[act](tree.kernel, aim(tree, where), fault);
  for (let turn = 0; turn < 4; turn++) await settle();
}

/** Compares every supervisor with that of the model. */
function compare({ kernel, model, boss: top }: Tree): void {
  for (const [mine, boss] of pairs(kernel, model, top)) {
    const isSimple = mine.spec.type === "simple_one_for_one";
    const expected = isSimple
      ? mine.slots.flatMap(({ path, instances }) => instances.map((each) => [path, each.restarts]))
      : mine.slots.map(({ path, isUp, isDisabled }) => [path, isUp, isDisabled]);
    const seen = boss.children().map((each) => {
      return isSimple ? [each.spec, each.restarts] : [each.spec, each.pid !== undefined, each.isDisabled];
    });
    expect(seen).toEqual(mine.isUp ? expected : seen);
  }
}

/** Does many things without a pause, and then lets everything go on. */
async function rush({ kernel }: Tree, list: readonly { which: number; what: string; fault: Fault }[]): Promise<void> {
  const held: (() => void)[] = [];
  for (const { which, what, fault } of list) {
    const pids = kernel.processes().filter((pid) => kernel.processInfo(pid).state !== "zombie");
    const pid = pids[which % Math.max(pids.length, 1)];
    if (pid === undefined) break;
    if (what === "hold") kernel.send(pid, () => new Promise<void>((resolve) => void held.push(resolve)), "max");
    else if (what === "release") held.splice(which % (held.length + 1), 1)[0]?.();
    else if (what === "settle") await settle();
    else strike(kernel, pid, fault);
  }
  for (let turn = 0; turn < 30; turn++) {
    for (const release of held.splice(0)) release();
    await settle();
  }
}

async function stopEmpty({ kernel, clock }: Tree): Promise<void> {
  await kernel.stop();
  expect(kernel.info()).toMatchObject({ processes: 0, names: 0, aliases: 0, timers: 0 });
  expect(clock.pendingTimers).toBe(0);
}

/** V1 to V3, as they show from outside while nothing is going on. */
function checkInvariants(kernel: Kernel): void {
  const visit = (node: TreeNode): void => {
    const { supervisor, children } = node;
    if (supervisor !== undefined) {
      const listed = supervisor.children.flatMap(({ pid }) => (pid === undefined ? [] : [String(pid)]));
      expect(children.map(({ pid }) => String(pid)).toSorted()).toEqual(listed.toSorted());
      expect(supervisor.isStrategyActive).toBe(false);
    }
    for (const child of children) visit(child);
  };
  const roots = kernel.tree();
  for (const root of roots) {
    expect(root.parent).toBe(kernel.core);
    visit(root);
  }
}

describe("a tree of supervisors", () => {
  test("does what the model does, whatever ends in whatever way, and keeps its invariants (V1, V2, V3)", async () => {
    await fc.assert(
      fc.asyncProperty(specs(2), steps, async (spec, list) => {
        const tree = grow(spec);
        for (const step of list) {
          if (tree.ended !== undefined) break;
          await take(tree, step);
          expect(kindOf(tree.boss.reason)).toBe(tree.ended);
          expect(tree.starts).toEqual(tree.world.starts);
          compare(tree);
          checkInvariants(tree.kernel);
        }
        await stopEmpty(tree);
      }),
      { numRuns: 400 },
    );
  });

  test("keeps its invariants when much happens at once and children are busy, and leaves nothing when it ends", async () => {
    const what = fc.constantFrom("hold", "release", "settle", "strike");
    const list = fc.array(fc.record({ which: fc.nat(1_000), what, fault: faults }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(specs(2), list, async (spec, rushed) => {
        const tree = grow({ ...spec, intensity: 20 });
        await rush(tree, rushed);
        checkInvariants(tree.kernel);
        if (!tree.kernel.isAlive(tree.boss.self)) expect(tree.kernel.processes()).toEqual([]);
        await stopEmpty(tree);
      }),
      { numRuns: 300 },
    );
  });

  test("of 20,000 instances restarts and stops them all", async () => {
    const { kernel, boss } = grow({
      type: "simple_one_for_one",
      strategy: "permanent",
      intensity: 1_000_000,
      periodMs: PERIOD_MS,
      autoShutdown: true,
      keepOrder: false,
      children: [{ significant: false }],
    });
    for (let i = 0; i < 20_000; i++) boss.startChild("0");
    for (const { pid } of boss.children()) kernel.kill(pid as PID);
    while (boss.supervisorInfo()?.restarts !== 20_000) await settle();
    expect(boss.children()).toHaveLength(20_000);
    expect(inside(boss.children()[0]?.pid as PID)).toBeInstanceOf(Probe);
    await kernel.stop();
    expect(kernel.info().processes).toBe(0);
  });
});
