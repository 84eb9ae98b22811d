import { systemClock } from "@metanode/core/clock";
import { asMetanodeError, codeOf, coreError, MetanodeError } from "@metanode/core/errors";
import { findNodes, openProviders, type Providers } from "./found.ts";
import { type Manager, type Member, Members } from "./manager.ts";
import {
  type FoundNode,
  isLeftInMaintenance,
  isManaged,
  MAINTENANCE_REASON,
  type Plan,
  planOf,
  type Situation,
  type Step,
} from "./plan.ts";
import type { DeployProvider } from "./provider.ts";
import type { Topology, TopologyGroup, WantedNode } from "./topology.ts";
import { until } from "./until.ts";

/*
 * Making what is there into what a topology says.
 *
 *  E1. Nodes come into the tree by adoption and leave it by release alone; a node is destroyed only after it was released.
 *  E2. A node that was to be created and does not come to its manager is taken away again, with its record and its token.
 *  E3. First comes what is new, then what changes, one node at a time, then what goes. The first that fails ends the kind of step it
 *      belongs to, and nothing of a later kind is begun.
 *  E4. Done again, it does nothing.
 */

export interface DeployOptions {
  readonly manager: Manager;
  /** Path or id of the node that is to manage, where it is one below the manager. */
  readonly under?: string;
  /** Longest wait for one node to come to its manager, in milliseconds. @default 60_000 */
  readonly timeoutMs?: number;
  /** Longest wait for a node to finish what it has, in milliseconds. @default 10_000 */
  readonly drainMs?: number;
  /** Release also who cannot be reached or does not finish what it has: that is lost. @default false */
  readonly force?: boolean;
  /** Nodes that are made, or go, at a time. @default 8 */
  readonly parallel?: number;
  /** Told of every step when it begins and when it has ended. */
  readonly onStep?: (step: Step, ended?: { readonly error?: MetanodeError }) => void;
  readonly signal?: AbortSignal;
}

/** A node as provider and manager see it. */
export interface NodeStatus {
  readonly node: string;
  readonly group: string;
  readonly provider?: string;
  readonly place?: string;
  /** As its provider sees it; absent where none has it. */
  readonly runs?: FoundNode["state"];
  /** As its manager sees it; absent where it has none. */
  readonly state?: string;
  readonly path?: string;
  /** Absent where it is as the topology says. */
  readonly step?: Step["action"];
}

/** Lines of a node's log that an error tells. */
const TAIL_LINES = 20;
const LOOK_MS = 100;
/** How often it is asked whether a node still runs: for some providers that is a connection each time. */
const LOOK_RUNS_MS = 1_000;
/** How long a node that runs may take to be heard of again before it is started anew. */
const COMES_BACK_MS = 15_000;
/** A token outlives the wait for its node by so much. */
const TOKEN_MARGIN_MS = 60_000;

/** A topology with its providers opened and its manager at hand. */
export class Deployment {
  readonly #topology: Topology;
  readonly #members: Members;
  readonly #options: Required<Omit<DeployOptions, "manager" | "under" | "signal">> & Pick<DeployOptions, "signal">;
  readonly #providers: Providers;

  private constructor(topology: Topology, options: DeployOptions, providers: Providers) {
    const {
      manager,
      under,
      timeoutMs = 60_000,
      drainMs = 10_000,
      force = false,
      parallel = 8,
      onStep = () => undefined,
      signal,
    } = options;
    this.#topology = topology;
    this.#members = new Members(manager, under);
    this.#options = { timeoutMs, drainMs, force, parallel, onStep, ...(signal === undefined ? {} : { signal }) };
    this.#providers = providers;
  }

  /** @throws {MetanodeError} call.unsupported – what a provider needs is not installed */
  static async open(topology: Topology, options: DeployOptions): Promise<Deployment> {
    return new Deployment(topology, options, await openProviders(topology));
  }

  /** What there is to do. Changes nothing. */
  async plan(): Promise<Plan> {
    return planOf(await this.#look());
  }

  async status(): Promise<NodeStatus[]> {
    const situation = await this.#look();
    const { made, members } = situation;
    const steps = new Map(planOf(situation).steps.map((step) => [step.node, step]));
    const wanted = this.#topology.groups.flatMap(({ nodes }) => nodes.map(({ name }) => name));
    return [...new Set([...wanted, ...made.keys(), ...steps.keys()])].map((node) => {
      const [found, member, step, group] = [made.get(node), members.get(node), steps.get(node), this.#groupOf(node)];
      return {
        node,
        group: found?.group ?? group?.name ?? step?.group ?? "",
        ...(found === undefined ? {} : { provider: found.by.provider, place: found.place, runs: found.state }),
        ...(member === undefined ? {} : { state: member.state, path: member.path }),
        ...(step === undefined ? {} : { step: step.action }),
      };
    });
  }

  /**
   * Does what there is to do.
   * @throws {MetanodeError} processor.start – a node did not start or did not come; call.deadline – one did not drain; `details.failures` names each
   */
  async apply(): Promise<Plan> {
    const situation = await this.#look();
    const plan = planOf(situation);
    const { parallel } = this.#options;
    const phases: readonly [limit: number, ...actions: Step["action"][]][] = [
      [parallel, "create", "start"],
      // One node at a time: the others do its work meanwhile.
      [1, "update", "replace"],
      [parallel, "remove", "release"],
    ];
    for (const [limit, ...actions] of phases) {
      const steps = plan.steps.filter(({ action }) => actions.includes(action));
      await this.#each(steps, limit, (step) => this.#take(step, situation));
    }
    return plan;
  }

  async #look(): Promise<Situation> {
    const [made, members] = await Promise.all([findNodes(this.#topology, this.#providers), this.#members.list()]);
    return { topology: this.#topology, made, members };
  }

  async #take(step: Step, situation: Situation): Promise<void> {
    const { made, members } = situation;
    const [found, member] = [made.get(step.node), members.get(step.node)];
    switch (step.action) {
      case "create":
        if (member !== undefined) await this.#giveUp(member);
        return this.#bring(step.node, { isNew: true });
      case "start":
        return this.#start(step.node, found as FoundNode, member);
      case "update":
        return this.#update(step.node, member as Member);
      case "replace":
        await this.#remove(found as FoundNode, member);
        return this.#bring(step.node, { isNew: true });
      case "remove":
        return this.#remove(found as FoundNode, member);
      case "release":
        return this.#release(member as Member, member?.state === "unreachable");
    }
  }

  async #remove({ name, state, by }: FoundNode, member: Member | undefined): Promise<void> {
    if (member !== undefined) await this.#release(member, state === "ended");
    await this.#providerOf(by).destroy(name);
  }

  /** Forgets a node of which nothing is left, so that another may have its name. @throws {MetanodeError} state.conflict – it lives, somewhere else */
  async #giveUp(member: Member): Promise<void> {
    const { name, path } = member;
    if (!(await this.#members.answers(member))) return this.#members.release(name, { drainMs: 0, force: true });
    throw coreError(
      "state.conflict",
      `${path} is managed and answers, and no provider of ${this.#topology.name} has it; take it away where it was made, or give the group another name`,
      { retryable: false },
    );
  }

  #release({ name }: Member, isGone: boolean): Promise<void> {
    const { drainMs, force } = this.#options;
    return this.#members.release(name, { drainMs, force: force || isGone });
  }

  /** One that runs and is only not heard of may come back by itself; to start it anew would cost what it has. */
  async #start(name: string, { state, by }: FoundNode, member: Member | undefined): Promise<void> {
    if (state === "running" && member !== undefined) {
      const waitMs = Math.min(COMES_BACK_MS, this.#options.timeoutMs);
      const isBack = await this.#managed(name, this.#providerOf(by), waitMs).then(
        () => true,
        () => false,
      );
      if (isBack) return;
    }
    await this.#bring(name, { isNew: false });
  }

  async #update(name: string, member: Member): Promise<void> {
    if (member.state !== "maintenance") {
      await this.#members.enterMaintenance(member, { reason: MAINTENANCE_REASON, waitMs: this.#options.drainMs });
    }
    await this.#bring(name, { isNew: false });
  }

  /** Makes a node run, and waits until it is managed. */
  async #bring(name: string, { isNew }: { isNew: boolean }): Promise<void> {
    const { signal, timeoutMs } = this.#options;
    const group = this.#groupOf(name) as TopologyGroup;
    const provider = this.#providerOf(group);
    const wanted = group.nodes.find((node) => node.name === name) as WantedNode;
    const token = await this.#members.token(timeoutMs + TOKEN_MARGIN_MS);
    try {
      await provider.run({ ...wanted, config: { ...group.config, name, token: token.text } }, signal);
      await this.#managed(name, provider, timeoutMs);
    } catch (cause) {
      const error = await this.#failureOf(name, provider, cause);
      await this.#members.revoke(token.id).catch(() => undefined); // it is good for a few minutes
      if (isNew) await this.#takeBack(name, provider);
      throw error;
    }
  }

  /** Waits until a node is managed and takes messages. @throws {MetanodeError} processor.start – it ended, or did not come in time */
  async #managed(name: string, provider: DeployProvider, timeoutMs: number): Promise<void> {
    const { signal } = this.#options;
    let lookRunsMs = systemClock.now() + LOOK_RUNS_MS;
    const isHere = async (): Promise<boolean> => {
      const member = (await this.#members.list()).get(name);
      if (member !== undefined && isManaged(member) && (await this.#members.answers(member))) {
        if (isLeftInMaintenance(member)) await this.#members.leaveMaintenance(member.path);
        return true;
      }
      if (systemClock.now() < lookRunsMs) return false;
      const made = (await provider.list()).find((node) => node.name === name);
      if (made?.state !== "running") throw coreError("processor.start", `the node ${name} does not run`);
      lookRunsMs = systemClock.now() + LOOK_RUNS_MS;
      return false;
    };
    if (await until(isHere, { everyMs: LOOK_MS, limitMs: timeoutMs, signal })) return;
    throw coreError("processor.start", `the node ${name} runs and did not come to its manager within ${timeoutMs} ms`);
  }

  async #failureOf(name: string, provider: DeployProvider, cause: unknown): Promise<MetanodeError> {
    const error =
      this.#options.signal?.aborted === true ? coreError("call.cancelled", "withdrawn", { cause }) : asMetanodeError(cause);
    if (codeOf(error) !== "processor.start") return error;
    const log = await provider.log(name, TAIL_LINES).catch(() => []);
    const last = log.length === 0 ? "it wrote nothing" : `it wrote last: ${log.slice(-3).join(" | ")}`;
    return coreError("processor.start", `${error.message}; ${last}`, { details: { node: name, log }, cause });
  }

  /** Leaves nothing of a node that was begun (E2). What fails here is less than what has failed. */
  async #takeBack(name: string, provider: DeployProvider): Promise<void> {
    const ignore = (): undefined => undefined;
    await provider.destroy(name).catch(ignore);
    const member = await this.#members.list().then((members) => members.get(name), ignore);
    if (member !== undefined) await this.#members.release(name, { drainMs: 0, force: true }).catch(ignore);
  }

  /** Takes steps, so many at a time; after a failure none is begun. @throws {MetanodeError} the code of the first failure */
  async #each(steps: readonly Step[], limit: number, take: (step: Step) => Promise<void>): Promise<void> {
    const { onStep, signal } = this.#options;
    const waiting = [...steps];
    const failures: { readonly step: Step; readonly error: MetanodeError }[] = [];
    const worker = async (): Promise<void> => {
      for (let step = waiting.shift(); step !== undefined && failures.length === 0; step = waiting.shift()) {
        onStep(step);
        try {
          signal?.throwIfAborted();
          await take(step);
          onStep(step, {});
        } catch (cause) {
          const error = signal?.aborted === true ? coreError("call.cancelled", "withdrawn", { cause }) : asMetanodeError(cause);
          failures.push({ step, error });
          onStep(step, { error });
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(limit, steps.length) }, worker));
    const [first] = failures;
    if (first === undefined) return;
    const texts = failures.map(({ step, error }) => `${step.action} ${step.node}: ${error.message}`);
    throw new MetanodeError(first.error.code, texts.join("; "), {
      details: {
        failures: failures.map(({ step, error }) => ({ ...step, code: error.code, message: error.message, ...error.details })),
      },
      cause: first.error,
    });
  }

  #groupOf(node: string): TopologyGroup | undefined {
    return this.#topology.groups.find(({ nodes }) => nodes.some(({ name }) => name === node));
  }

  #providerOf({ name }: TopologyGroup): DeployProvider {
    return this.#providers.get(name) as DeployProvider;
  }
}
