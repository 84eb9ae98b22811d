import { createNode, type MetaNode, processors } from "@metanode/core";
import { type HostModule, hostControl } from "@metanode/core/host";
import { type TreeModule, treeModule } from "@metanode/core/tree";
import { streaming } from "@metanode/streaming/module";
import { type AgentConfig, checkConfig, nameOfHost } from "./config.ts";

export interface AgentOptions extends AgentConfig {
  /** @default pino on standard error */
  logger?: MetaNode["logger"];
}

/** A node that is managed by another. Leaving the block of `await using` drains it. */
export interface Agent extends AsyncDisposable {
  readonly node: MetaNode;
  readonly tree: TreeModule;
  readonly host: HostModule;
}

/**
 * Starts an agent: processors, control of the host as far as its rules allow, stages of graphs that are placed on it, and the way to
 * the node that manages it.
 * @throws {MetanodeError} config.invalid, node.data_in_use, auth.unauthenticated – the text of the token is none
 */
export async function openAgent(options: AgentOptions = {}): Promise<Agent> {
  const { logger, ...given } = options;
  const config = checkConfig(given);
  const { name = nameOfHost(), data = ".metanode-agent", token, join, labels, version, listen, advertise, nats } = config;
  const host = hostControl(config.host ?? {});
  const tree = treeModule({
    ...(token === undefined ? {} : { join: token }),
    ...(join === undefined ? {} : { address: join }),
    ...(labels === undefined ? {} : { labels }),
    ...(version === undefined ? {} : { version }),
    ...(listen === undefined ? {} : { listen }),
    ...(advertise === undefined ? {} : { advertise }),
    ...(nats === undefined ? {} : { nats }),
  });
  const node = await createNode({
    name,
    folder: data,
    modules: [processors(config.processors ?? []), host, streaming(), tree],
    ...(logger === undefined ? {} : { logger }),
  });
  return { node, tree, host, [Symbol.asyncDispose]: () => node.drain() };
}
