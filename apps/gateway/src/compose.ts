import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ApplicationSpec } from "@metanode/actors";
import type { ActorsModule } from "@metanode/actors/module";
import {
  type Clock,
  coreError,
  type MetaNode,
  type MetanodeError,
  type NodeModule,
  type ProcessorsModule,
  processors,
  systemClock,
  wait,
} from "@metanode/core";
import { makeNode } from "@metanode/core/internal/node";
import { type TreeModule, type TreeModuleOptions, treeModule } from "@metanode/core/tree";
import { pino } from "pino";
import { type Access, openAccess } from "./access/index.ts";
import type { OidcOptions } from "./access/oidc.ts";
import { loadActors } from "./actors.ts";
import type { ConfigValues, GatewayConfig } from "./config/types.ts";
import { resolveConfig } from "./config.ts";
import type { Api } from "./http/context.ts";
import { version } from "./http/manifest.ts";
import { CALLBACK_PATH } from "./http/names.ts";
import { type StreamsModule, streamsModule } from "./streams/module.ts";
import { keepToken } from "./token.ts";
import { type WorkflowsModule, workflowsModule } from "./workflows/module.ts";

/*
 * G1. The node comes first, then the door: whoever can connect finds everything running.
 * G2. A start that fails leaves nothing behind but the data folder, free for the next.
 * G3. What is not needed to start the processes of the processors is loaded and made while they come up.
 * G4. Stopping: readyz says so, nothing new is taken, requests under way end, the node drains, the folder is released.
 */

/** Where a running gateway says how it is reached, in the data folder. */
export const GATEWAY_FILE = "gateway.json";

export interface GatewayOptions extends GatewayConfig {
  /** Applications of actors, loaded all, then started in this order; before the configured actors. */
  applications?: readonly ApplicationSpec[];
  /** More to host, started after the processors and the actors. */
  modules?: readonly NodeModule[];
  /** @default pino on standard error, at the level of `log.level` */
  logger?: MetaNode["logger"];
  clock?: Clock;
}

/** A node with its HTTP face. Leaving the block of `await using` drains it. */
export interface Gateway extends AsyncDisposable {
  readonly node: MetaNode;
  readonly processors: ProcessorsModule;
  readonly actors: ActorsModule;
  /** Absent where the configuration does not enable it. */
  readonly nature: WorkflowsModule | undefined;
  readonly streams: StreamsModule;
  readonly tree: TreeModule;
  /** Where it listens, for example `http://127.0.0.1:7400`. */
  readonly url: string;
  /** What callers of `/api` show. */
  readonly token: string;
  /** Settles once and never rejects: `undefined` after a requested stop, else the fatal error. */
  readonly closed: Promise<MetanodeError | undefined>;
  /** Refuses new work, finishes work in flight for at most `graceMs` (default 10_000), then closes. Idempotent. */
  drain(options?: { graceMs?: number }): Promise<void>;
  /** Drops work in flight now, also during a drain. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens a gateway: takes the data folder, starts the node and its modules, then listens.
 * Reads no environment and no file; {@link loadConfig} does.
 * @throws {MetanodeError} config.invalid, node.data_in_use, node.port_in_use, log.storage, and what a module's start throws.
 */
export async function openGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const { modules = [], applications = [], logger, clock = systemClock, ...config } = options;
  const { values } = resolveConfig(config);
  const hosted = processors(values.processors);
  const kernel = await loadActors(values.actors, applications);
  // Work that was left begins before the door is open, and may ask whoever answers through it later.
  const door = { url: values.listen.port === 0 ? "" : urlOf(values.listen.host, values.listen.port) };
  const surroundings = {
    kernel: () => kernel.kernel,
    callbackUrl: () => (door.url === "" ? undefined : `${door.url}${CALLBACK_PATH}`),
  };
  const nature = values.nature.enabled ? workflowsModule(values.nature, surroundings) : undefined;
  const streams = streamsModule(values.streams);
  const tree = treeModule(treeOptionsOf(values));
  const { node, start } = await makeNode({
    name: values.name,
    folder: values.data,
    callTimeoutMs: values.callTimeoutMs,
    maxMessageBytes: values.maxMessageBytes,
    hopLimit: values.hopLimit,
    durable: values.durable,
    modules: [hosted, kernel, ...(nature === undefined ? [] : [nature]), ...modules, streams, tree],
    logger: logger ?? pino({ level: values.log.level }, pino.destination(2)),
    clock,
  });
  const started = start();
  started.catch(() => undefined); // it is waited for below
  let gateway: RunningGateway | undefined;
  try {
    await hosted.launched; // G3
    await nature?.prepare({ folder: values.data, clock });
    const token = values.token ?? keepToken(values.data, node.logger);
    gateway = await RunningGateway.make({
      node,
      processors: hosted,
      actors: kernel,
      nature,
      streams,
      tree,
      clock,
      token,
      access: openAccess(values.data, clock, { ownerToken: token, logger: node.logger, oidc: oidcOf(values) }),
      values,
    });
    await started;
    await gateway.listen();
    door.url = gateway.url;
    return gateway;
  } catch (error) {
    // What is starting has to be there before it can be stopped.
    await started.catch(() => undefined);
    await (gateway ?? node).close();
    await nature?.stop(); // it may have been prepared and never started
    throw error;
  }
}

function oidcOf({ auth: { oidc } }: ConfigValues): OidcOptions | undefined {
  const { issuer, audience, ...roles } = oidc;
  return issuer === undefined || audience === undefined ? undefined : { issuer, audience, ...roles };
}

function treeOptionsOf({ tree }: ConfigValues): TreeModuleOptions {
  const { listen, advertise, nats, join, labels, maxInMaintenance, leaseMs, standby } = tree;
  return {
    version,
    labels,
    leaseMs,
    ...(standby === undefined ? {} : { standby }),
    ...(listen === undefined ? {} : { listen }),
    ...(advertise === undefined ? {} : { advertise }),
    ...(nats === undefined ? {} : { nats }),
    ...(join === undefined ? {} : { join }),
    ...(maxInMaintenance === 0 ? {} : { maxInMaintenance }),
  };
}

interface Parts {
  readonly node: MetaNode;
  readonly processors: ProcessorsModule;
  readonly actors: ActorsModule;
  readonly nature: WorkflowsModule | undefined;
  readonly streams: StreamsModule;
  readonly tree: TreeModule;
  readonly clock: Clock;
  readonly token: string;
  readonly access: Access;
  readonly values: ConfigValues;
}

class RunningGateway implements Gateway {
  readonly node: MetaNode;
  readonly processors: ProcessorsModule;
  readonly actors: ActorsModule;
  readonly nature: WorkflowsModule | undefined;
  readonly streams: StreamsModule;
  readonly tree: TreeModule;
  readonly token: string;
  readonly closed: Promise<MetanodeError | undefined>;
  readonly #clock: Clock;
  readonly #access: Access;
  readonly #file: string;
  readonly #at: { readonly host: string; readonly port: number };
  readonly #stopping = new AbortController();
  readonly #hurry = new AbortController();
  #server: Api | undefined;
  #url = "";
  #ending: Promise<void> | undefined;

  private constructor({ node, processors: hosted, actors, nature, streams, tree, clock, token, access, values }: Parts) {
    this.node = node;
    this.processors = hosted;
    this.actors = actors;
    this.nature = nature;
    this.streams = streams;
    this.tree = tree;
    this.token = token;
    this.#clock = clock;
    this.#access = access;
    this.#file = join(values.data, GATEWAY_FILE);
    this.#at = values.listen;
    // A node that ends for a reason of its own takes its door with it.
    this.closed = node.closed.then(async (error) => {
      await this.close();
      return error;
    });
  }

  /** A gateway whose door is made and closed. */
  static async make(parts: Parts): Promise<RunningGateway> {
    const { createServer } = await import("./http/server.ts");
    const gateway = new RunningGateway(parts);
    const { node, processors: hosted, actors, nature, streams, clock, access } = parts;
    const server = await createServer({
      node,
      processors: hosted,
      actors,
      nature,
      natureFace: parts.values.nature,
      streamsFace: parts.values.streams,
      streams,
      clock,
      access,
      rateLimit: parts.values.listen.rateLimit,
      stopping: gateway.#stopping.signal,
      url: () => gateway.#url,
    });
    server.addHook("onResponse", async () => {
      // A connection that is kept alive would hold up the stop until it times out.
      if (gateway.#stopping.signal.aborted) setImmediate(() => server.server.closeIdleConnections());
    });
    await server.ready();
    gateway.#server = server;
    return gateway;
  }

  async listen(): Promise<void> {
    const server = this.#server;
    if (server === undefined) throw coreError("core.internal", "the gateway has no door");
    const { host, port } = this.#at;
    await listen(server, host, port);
    this.#url = urlOf(host, addressOf(server));
    writeFileSync(this.#file, `${JSON.stringify({ url: this.#url, pid: process.pid })}\n`, { mode: 0o600 });
    this.node.logger.info({ url: this.#url }, `listening at ${this.#url}`);
  }

  get url(): string {
    return this.#url;
  }

  drain(options: { graceMs?: number } = {}): Promise<void> {
    this.#ending ??= this.#end(options.graceMs ?? 10_000);
    return this.#ending;
  }

  close(): Promise<void> {
    this.#hurry.abort();
    this.#ending ??= this.#end(0);
    return this.#ending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  async #end(graceMs: number): Promise<void> {
    const deadlineMs = this.#clock.now() + graceMs;
    const server = this.#server;
    this.#stopping.abort();
    rmSync(this.#file, { force: true });
    const answered = server?.close() ?? Promise.resolve();
    // Requests end by themselves, or their time is up, or somebody is in a hurry.
    const timeUp = new AbortController();
    await Promise.race([
      answered,
      wait(this.#clock, graceMs, AbortSignal.any([timeUp.signal, this.#hurry.signal])).catch(() => undefined),
    ]);
    timeUp.abort();
    const leftMs = this.#hurry.signal.aborted ? 0 : Math.max(0, deadlineMs - this.#clock.now());
    // Without time to wait, the node answers what is under way with an error before the connections go.
    await (leftMs > 0 ? this.node.drain({ graceMs: leftMs }) : this.node.close());
    setImmediate(() => server?.server.closeAllConnections());
    await answered;
    this.#access.close();
  }
}

async function listen(server: Api, host: string, port: number): Promise<void> {
  try {
    await server.listen({ host, port });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const details = { host, port };
    if (code === "EADDRINUSE") {
      throw coreError(
        "node.port_in_use",
        `port ${port} of ${host} is taken by another program; stop it, or choose another port (listen.port, METANODE_LISTEN_PORT, --port), 0 for any free one`,
        { details, cause },
      );
    }
    if (["EACCES", "EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN"].includes(code ?? "")) {
      throw coreError(
        "config.invalid",
        `cannot listen at port ${port} of ${host}: ${message}; set listen.host and listen.port to what this machine allows`,
        {
          details: { ...details, path: "listen" },
          cause,
        },
      );
    }
    throw cause;
  }
}

function addressOf(server: Api): number {
  const address = server.server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Where this machine reaches it: an address that stands for all of them is none that can be dialled everywhere. */
function urlOf(host: string, port: number): string {
  if (host === "0.0.0.0") return `http://127.0.0.1:${port}`;
  if (host === "::") return `http://[::1]:${port}`;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
