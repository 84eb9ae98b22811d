import type { Kernel } from "@metanode/actors";
import { findProcess } from "@metanode/actors/module";
import { coreError, type ModuleHealth, type ModuleHost, type NodeModule } from "@metanode/core";
import type { Ask, Nature } from "@metanode/nature/internal";
import type { NatureModule } from "@metanode/nature/module";
import type { NatureValues } from "../config/types.ts";
import { loadFlows } from "./flows.ts";

/*
 * W1. What belongs to workflows is loaded by a node that runs them and by no other; while the processes of processors come up.
 * W2. What the files declare is in force before the first work is done.
 */

/** Workflows at work. */
export type Workflows = Nature;

/** The module that runs workflows. */
export interface WorkflowsModule extends NodeModule {
  /** Lives from the start of the node to its stop. @throws {MetanodeError} node.closed – outside of that */
  readonly workflows: Workflows;
  /**
   * Loads what belongs to workflows and begins to open their store, ahead of the start, which waits for it and tells of what failed.
   * A stop lets go of it, also without a start.
   */
  prepare(host: Pick<ModuleHost, "folder" | "clock">): Promise<void>;
}

/** What workflows need of the gateway around them. */
export interface WorkflowsSurroundings {
  /** The actors of the node, once they run. */
  readonly kernel: () => Kernel;
  /** Where answers that come later are posted, as soon as it is known. */
  readonly callbackUrl: () => string | undefined;
}

/** Builds the module; everything else happens at its start. */
export function workflowsModule(values: NatureValues, surroundings: WorkflowsSurroundings): WorkflowsModule {
  return new HostedWorkflows(values, surroundings);
}

class HostedWorkflows implements WorkflowsModule {
  readonly name = "nature";
  readonly #values: NatureValues;
  readonly #surroundings: WorkflowsSurroundings;
  #making: Promise<NatureModule> | undefined;
  #module: NatureModule | undefined;

  constructor(values: NatureValues, surroundings: WorkflowsSurroundings) {
    this.#values = values;
    this.#surroundings = surroundings;
  }

  get workflows(): Workflows {
    if (this.#module === undefined) throw coreError("node.closed", "the workflows of this node are not running");
    return this.#module.nature;
  }

  async prepare(host: Pick<ModuleHost, "folder" | "clock">): Promise<void> {
    this.#making ??= this.#make(host);
    await this.#making.catch(() => undefined); // the start tells
  }

  async start(host: ModuleHost): Promise<void> {
    this.#making ??= this.#make(host);
    const module = await this.#making;
    await module.start(host);
    this.#module = module;
  }

  health(): ModuleHealth {
    return this.#module?.health() ?? { status: "failing", reasons: ["the workflows are not running"] };
  }

  async drain(graceMs: number): Promise<void> {
    await this.#module?.drain(graceMs);
  }

  async stop(): Promise<void> {
    await (await this.#making?.catch(() => undefined))?.stop();
  }

  async #make(host: Pick<ModuleHost, "folder" | "clock">): Promise<NatureModule> {
    const [{ remoteExecutors }, { nature }] = await Promise.all([
      import("@metanode/nature/internal"),
      import("@metanode/nature/module"),
    ]);
    const { databaseUrl, flows, inputs, outputs, concurrency, callbackUrl } = this.#values;
    const { kernel, callbackUrl: ownUrl } = this.#surroundings;
    const module = nature({
      flows: [await loadFlows(flows)],
      inputs,
      outputs,
      engine: { concurrency },
      http: { callbackUrl: () => callbackUrl ?? ownUrl() },
      resolvers: { actor: remoteExecutors("actor", askActor(kernel, host)) },
      ...(databaseUrl === undefined ? {} : { databaseUrl }),
    });
    module.prepare(host);
    return module;
  }
}

/** An actor by its name, or what else names one. */
function askActor(kernel: () => Kernel, { clock }: Pick<ModuleHost, "clock">): Ask {
  return async (target, data, { deadlineMs }) => {
    const timeoutMs = Math.max(1, Math.ceil(deadlineMs - clock.now()));
    return kernel().call(findProcess(kernel(), target), data, { timeoutMs });
  };
}
