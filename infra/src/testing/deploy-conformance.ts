import { randomBytes } from "node:crypto";
import type { MetanodeError } from "@metanode/core/errors";
import { type NodeDescription, TREE } from "@metanode/core/tree";
import { describe, expect, test } from "vitest";
import { apply, destroy, logs, plan, status } from "../deploy/deploy.ts";
import type { DeployOptions } from "../deploy/deployment.ts";
import type { Step } from "../deploy/plan.ts";
import { resolveTopology, type Topology } from "../deploy/topology.ts";
import type { DeployHarness } from "./deploy-harness.ts";

/** What {@link deployConformance} is to be run against. */
export interface DeployConformanceOptions {
  /** Of the provider, for the report. */
  name: string;
  /** Makes what one test needs. */
  open(): Promise<DeployHarness>;
  /** Longest time for one test: a cluster takes longer to start a node than this machine does. @default 60_000 */
  timeoutMs?: number;
  /** Why the provider cannot be tried here; then each test is skipped with this reason. */
  skip?: string | undefined;
}

/** One test, with a topology of its own. */
class Trial {
  readonly harness: DeployHarness;
  readonly name = `t${randomBytes(4).toString("hex")}`;
  readonly steps: string[] = [];
  /** Tokens that the manager has made, which nothing may show. */
  readonly tokens: string[] = [];

  constructor(harness: DeployHarness) {
    this.harness = harness;
  }

  topology(replicas: number, { worker = "first", ...more }: { worker?: string; agent?: object } = {}): Topology {
    const group = this.harness.group({ worker });
    const { agent } = more.agent === undefined ? group : { agent: { ...group.agent, ...more.agent } };
    const given = {
      name: this.name,
      groups: [{ ...group, name: "work", replicas, labels: { region: "eu" }, ...(agent === undefined ? {} : { agent }) }],
    };
    return resolveTopology(given, this.harness.options);
  }

  get options(): DeployOptions {
    const { manager } = this.harness;
    return {
      manager: {
        call: async (message, options) => {
          const answer = await manager.call(message, options);
          if (message.type === TREE.token) this.tokens.push((answer as { text: string }).text);
          return answer;
        },
      },
      timeoutMs: 45_000,
      onStep: ({ action, node }: Step, ended) => void (ended === undefined && this.steps.push(`${action} ${node}`)),
    };
  }

  async children(): Promise<NodeDescription["children"]> {
    return ((await this.harness.manager.call({ type: TREE.describe })) as NodeDescription).children;
  }

  /** Names and states, in the order of names. */
  async states(): Promise<string[]> {
    return (await this.children()).map(({ name, state }) => `${name} ${state}`).sort();
  }

  work(
    data: { readonly n: number; readonly ms?: number },
    target?: string,
  ): Promise<{ node: string; n: number; worker: string }> {
    const message = { type: "deploy.work", data, ...(target === undefined ? {} : { extensions: { target } }) };
    return this.harness.manager.call(message, { timeoutMs: 30_000 }) as Promise<never>;
  }

  node(index: number): string {
    return `${this.name}-work-${index}`;
  }
}

type Promised = (trial: Trial) => Promise<void>;

const PROMISES: Readonly<Record<string, Promised>> = {
  "what was planned is done: nodes become managed, with their labels, and handle messages": async (trial) => {
    const topology = trial.topology(2);
    const found = await plan(topology, trial.options);
    expect(found.steps.map(({ action, node }) => `${action} ${node}`)).toEqual([
      `create ${trial.node(0)}`,
      `create ${trial.node(1)}`,
    ]);
    expect(await trial.states()).toEqual([]);
    expect(await apply(topology, trial.options)).toEqual(found);
    expect(await trial.states()).toEqual([`${trial.node(0)} managed`, `${trial.node(1)} managed`]);
    for (const { name, path, card, epoch } of await trial.children()) {
      expect(card?.labels).toEqual({ region: "eu", topology: trial.name, group: "work" });
      expect(epoch).toBe(1);
      expect(await trial.work({ n: 7 }, path)).toMatchObject({ n: 7, worker: "first" });
      expect(await status(topology, trial.options)).toContainEqual(
        expect.objectContaining({ node: name, group: "work", runs: "running", state: "managed", path }),
      );
    }
    expect((await trial.work({ n: 8 })).n).toBe(8);
  },

  "done again, nothing is done": async (trial) => {
    const topology = trial.topology(2);
    await apply(topology, trial.options);
    const before = (await trial.children()).map(({ id, epoch }) => `${id} ${epoch}`);
    trial.steps.length = 0;
    // By somebody who remembers nothing.
    expect(await apply(trial.topology(2), trial.options)).toMatchObject({ steps: [], unchanged: 2 });
    expect(trial.steps).toEqual([]);
    expect((await trial.children()).map(({ id, epoch }) => `${id} ${epoch}`)).toEqual(before);
  },

  "a node that is killed comes back as who it was, in the epoch that it had": async (trial) => {
    const topology = trial.topology(2);
    await apply(topology, trial.options);
    const before = (await trial.children()).map(({ name, id, epoch }) => `${name} ${id} ${epoch}`);
    const path = `/${trial.harness.manager.name}/${trial.node(0)}`;
    const { node: first } = await trial.work({ n: 0 }, path);
    await trial.harness.kill(trial.node(0));
    if (!trial.harness.restarts) {
      const { steps } = await apply(topology, trial.options);
      expect(steps.map(({ action, node }) => `${action} ${node}`)).toEqual([`start ${trial.node(0)}`]);
    }
    // Of its former life nobody answers any more.
    const answering = (): Promise<string> =>
      trial.work({ n: 1 }, path).then(
        ({ node }) => node,
        () => first,
      );
    await expect.poll(answering, { timeout: 45_000 }).not.toBe(first);
    await expect.poll(() => trial.states()).toEqual([`${trial.node(0)} managed`, `${trial.node(1)} managed`]);
    expect((await trial.children()).map(({ name, id, epoch }) => `${name} ${id} ${epoch}`)).toEqual(before);
    expect((await plan(topology, trial.options)).steps).toEqual([]);
  },

  "what changes is drained and made to run anew, one node at a time, and no message is lost": async (trial) => {
    await apply(trial.topology(2), trial.options);
    const before = (await trial.children()).map(({ id, epoch }) => `${id} ${epoch}`);
    const answers: Promise<{ n: number; worker: string }>[] = [];
    let isOver = false;
    const load = async (): Promise<void> => {
      for (let n = 0; !isOver; n++) {
        const answer = trial.work({ n, ms: 50 });
        answers.push(answer);
        await answer.catch(() => undefined);
      }
    };
    const loads = [load(), load(), load()];
    trial.steps.length = 0;
    await apply(trial.topology(2, { worker: "second" }), trial.options).finally(() => {
      isOver = true;
    });
    await Promise.all(loads);
    expect(trial.steps.sort()).toEqual([`update ${trial.node(0)}`, `update ${trial.node(1)}`]);
    const results = await Promise.allSettled(answers);
    expect(results.filter(({ status }) => status === "rejected")).toEqual([]);
    expect(results.length).toBeGreaterThan(5);
    expect((await trial.work({ n: 1 })).worker).toBe("second");
    expect((await trial.children()).map(({ id, epoch }) => `${id} ${epoch}`)).toEqual(before);
    expect(await trial.states()).toEqual([`${trial.node(0)} managed`, `${trial.node(1)} managed`]);
  },

  "from three nodes to one: those that go are drained first, no message is lost, and nothing of them is left": async (trial) => {
    await apply(trial.topology(3), trial.options);
    const work = Array.from({ length: 12 }, (_, n) => trial.work({ n, ms: 1_000 }));
    await expect.poll(async () => (await trial.children()).length).toBe(3);
    trial.steps.length = 0;
    await apply(trial.topology(1), trial.options);
    const answers = await Promise.all(work);
    expect(answers.map(({ n }) => n)).toEqual(Array.from({ length: 12 }, (_, n) => n));
    expect(new Set(answers.map(({ node }) => node)).size).toBe(3);
    expect(trial.steps.sort()).toEqual([`remove ${trial.node(1)}`, `remove ${trial.node(2)}`]);
    expect(await trial.states()).toEqual([`${trial.node(0)} managed`]);
    const remains = (await trial.harness.remains(trial.name)).join("\n");
    expect(remains).toContain(trial.node(0));
    for (const index of [1, 2]) expect(remains).not.toContain(trial.node(index));
  },

  "destroy leaves nothing, and again does nothing": async (trial) => {
    const topology = trial.topology(2);
    await apply(topology, trial.options);
    expect(await trial.harness.remains(trial.name)).not.toEqual([]);
    await destroy(topology, trial.options);
    expect(await trial.states()).toEqual([]);
    expect(await trial.harness.remains(trial.name)).toEqual([]);
    expect((await destroy(topology, trial.options)).steps).toEqual([]);
  },

  "a node that cannot start is told with the end of its log, and is taken away again; the others stay": async (trial) => {
    await apply(trial.topology(1), trial.options);
    // The new node is made first, so the one that is there is not touched.
    const error = await apply(trial.topology(2, { agent: { listen: "no-address" } }), trial.options).then(
      () => undefined,
      (cause: MetanodeError) => cause,
    );
    expect(error).toMatchObject({ code: "processor.start" });
    const [failure] = (error?.details?.failures ?? []) as { node: string; log: string[] }[];
    expect(failure?.node).toBe(trial.node(1));
    expect(failure?.log.join("\n")).toContain("no-address");
    expect(error?.message).toContain("no-address");
    expect(await trial.states()).toEqual([`${trial.node(0)} managed`]);
    expect((await trial.harness.remains(trial.name)).join("\n")).not.toContain(trial.node(1));
    const tokens = (await trial.harness.manager.call({ type: TREE.tokens })) as { usedBy: string[] }[];
    expect(tokens.filter(({ usedBy }) => usedBy.length === 0)).toEqual([]);
  },

  "no token stands in a command line or in a log": async (trial) => {
    const topology = trial.topology(1);
    const seen = new Set<string>();
    let isOver = false;
    const watch = (async (): Promise<void> => {
      while (!isOver) for (const line of await trial.harness.commandLines()) seen.add(line);
    })();
    await apply(topology, trial.options).finally(() => {
      isOver = true;
    });
    await watch;
    for (const line of await trial.harness.commandLines()) seen.add(line);
    expect([...seen].join("\n")).toContain("agent");
    const written = [...seen, ...(await logs(topology, trial.node(0), 1_000))].join("\n");
    expect(trial.tokens).toHaveLength(1);
    for (const token of trial.tokens) expect(written.includes(token.slice(5, 60))).toBe(false);
  },
};

/**
 * Defines, with Vitest, a test for each promise of `DeployProvider` (P1 to P5), through a whole deployment with a real manager and real agents.
 * Every provider runs them all.
 */
export function deployConformance({ name, open, timeoutMs = 60_000, skip }: DeployConformanceOptions): void {
  describe(`the promises of deployment, kept by ${name}`, () => {
    for (const [title, promised] of Object.entries(PROMISES)) {
      test(title, { timeout: timeoutMs }, async (context) => {
        if (skip !== undefined) context.skip(skip);
        const harness = await open();
        const trial = new Trial(harness);
        // What the promise says comes before what was left behind by its failure.
        const outcome = await settled(promised(trial));
        const cleared = await settled(destroy(trial.topology(0), trial.options));
        await harness.dispose();
        for (const { status, reason } of [outcome, cleared]) if (status === "rejected") throw reason;
      });
    }
  });
}

async function settled(work: Promise<unknown>): Promise<{ readonly status: string; readonly reason?: unknown }> {
  const [outcome] = await Promise.allSettled([work]);
  return outcome;
}
