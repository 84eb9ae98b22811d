import { existsSync } from "node:fs";
import { join } from "node:path";
import { coreError, type ModuleHealth, type ModuleHost, type NodeModule } from "@metanode/core";
import type { Streams } from "@metanode/streaming";
import type { StreamingModule } from "@metanode/streaming/module";
import type { StreamsValues } from "../config/types.ts";
import { loadActions } from "./actions.ts";

/*
 * S1. What belongs to graphs is loaded when a node that has some starts, else when somebody first asks for them.
 * S2. Graphs begin to run after everything that they may send messages to.
 */

/** The module that runs graphs. */
export interface StreamsModule extends NodeModule {
  /** The graphs of the node, loaded when nobody has asked for them before. @throws {MetanodeError} node.closed, call.unsupported */
  streams(): Promise<Streams>;
}

/** Builds the module; everything else happens at its start. */
export function streamsModule(values: StreamsValues): StreamsModule {
  return new HostedStreams(values);
}

class HostedStreams implements StreamsModule {
  readonly name = "streams";
  readonly #values: StreamsValues;
  #host: ModuleHost | undefined;
  #opening: Promise<StreamingModule> | undefined;
  #module: StreamingModule | undefined;

  constructor(values: StreamsValues) {
    this.#values = values;
  }

  async streams(): Promise<Streams> {
    return (await this.#open()).streams;
  }

  async start(host: ModuleHost): Promise<void> {
    this.#host = host;
    const hasGraphs = existsSync(join(host.folder, "streams", "streams.sqlite"));
    if (this.#values.enabled && (hasGraphs || this.#values.actions.length > 0)) await this.#open();
  }

  health(): ModuleHealth {
    return this.#module?.health() ?? { status: "ok", reasons: [] };
  }

  async drain(graceMs: number): Promise<void> {
    this.#host = undefined;
    await (await this.#settled())?.drain(graceMs);
  }

  async stop(): Promise<void> {
    this.#host = undefined;
    await (await this.#settled())?.stop();
  }

  #open(): Promise<StreamingModule> {
    const host = this.#host;
    if (!this.#values.enabled) {
      throw coreError("call.unsupported", "this node runs no graphs: streams.enabled is false (METANODE_STREAMS_ENABLED)");
    }
    if (host === undefined) throw coreError("node.closed", "the graphs of this node are not running");
    this.#opening ??= this.#load(host).catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #load(host: ModuleHost): Promise<StreamingModule> {
    const { streaming } = await import("@metanode/streaming/module");
    const module = streaming({ functions: await loadActions(this.#values.actions) });
    await module.start(host);
    this.#module = module;
    return module;
  }

  async #settled(): Promise<StreamingModule | undefined> {
    return this.#opening?.catch(() => undefined);
  }
}
