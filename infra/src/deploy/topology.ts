import { createHash } from "node:crypto";
import { dirname, isAbsolute, resolve } from "node:path";
import { type AgentConfig, checkConfig, placed, readSettings } from "@metanode/agent/config";
import { coreError, type MetanodeError } from "@metanode/core/errors";
import { z } from "zod";
import { checked, invalidSetting, type SettingPath, textOfPath } from "./invalid.ts";
import type { NodeSpec, ProviderContext, ProviderKind } from "./provider.ts";
import { builtInProviders } from "./providers.ts";

/** With a number behind them they name a node, a unit, a container and a pod, which may have 63 letters. */
const Name = z
  .string()
  .regex(/^[a-z](?:[a-z0-9-]{0,22}[a-z0-9])?$/, "at most 24 lower-case letters, digits and -, the first a letter, the last no -");

const Group = z.strictObject({
  name: Name,
  provider: z.string().describe("process, ssh, docker, kubernetes, or one of your own."),
  replicas: z.int().min(0).max(1_000).default(1),
  labels: z.record(z.string().min(1), z.string()).default({}).describe("Of each of its nodes, for selectors."),
  join: z
    .string()
    .min(1)
    .optional()
    .describe("Where its nodes dial their manager, if not at the address that the manager names."),
  agent: z.looseObject({}).default({}).describe("The configuration of its agents, as in a file for `metanode agent --config`."),
  with: z.looseObject({}).default({}).describe("Options of the provider."),
});

const TopologyFile = z.strictObject({
  name: Name,
  join: z.string().min(1).optional().describe("As `join` of a group, for all of them."),
  groups: z.array(Group),
});

/** Which nodes there are to be, and where: as it is written, in YAML or as the default export of a TypeScript file. */
export type TopologyInput = z.input<typeof TopologyFile>;

/** What an agent has from its deployment and not from its configuration. */
const GIVEN = ["name", "data", "token", "join", "labels"] as const;

/** Labels that say where a node comes from; selectors can use them. */
const OWN_LABELS = ["topology", "group"] as const;

/** A node that is to be; its token is made when it is needed. */
export type WantedNode = Omit<NodeSpec, "config">;

/** A group of like nodes, checked. */
export interface TopologyGroup {
  readonly name: string;
  readonly provider: string;
  readonly kind: ProviderKind;
  /** As its provider takes them. */
  readonly options: unknown;
  readonly nodes: readonly WantedNode[];
  /** Of each of its nodes, without name and token. */
  readonly config: AgentConfig;
}

/** A topology, checked. */
export interface Topology {
  readonly name: string;
  /** Where relative paths in it are meant from. */
  readonly folder: string;
  readonly groups: readonly TopologyGroup[];
}

export interface TopologyOptions {
  /** Where relative paths are meant from. @default the working directory */
  readonly folder?: string;
  /** Providers of your own, by name; they come before ours. */
  readonly providers?: Readonly<Record<string, ProviderKind>>;
}

/** Reads and checks a topology. @throws {MetanodeError} config.invalid – names the path, what was found and what was expected */
export async function readTopology(file: string, options: Omit<TopologyOptions, "folder"> = {}): Promise<Topology> {
  return resolveTopology(await readSettings(file), { ...options, folder: dirname(resolve(file)) });
}

/** Checks a topology. @throws {MetanodeError} config.invalid – names the path, what was found and what was expected */
export function resolveTopology(given: unknown, { folder = process.cwd(), providers = {} }: TopologyOptions = {}): Topology {
  const { name, join, groups } = checked(TopologyFile, given);
  const kinds: Readonly<Record<string, ProviderKind>> = { ...builtInProviders, ...providers };
  const context: ProviderContext = { topology: name, folder: resolve(folder) };
  const names = groups.map((group) => group.name);
  const twice = names.findIndex((one, index) => names.indexOf(one) !== index);
  if (twice >= 0) throw invalidSetting(["groups", twice, "name"], names[twice], "a name that no other group has");
  const resolved = groups.map((group, index) => {
    const path = ["groups", index] as const;
    const kind = Object.hasOwn(kinds, group.provider) ? kinds[group.provider] : undefined;
    if (kind === undefined)
      throw invalidSetting([...path, "provider"], group.provider, `one of ${Object.keys(kinds).join(", ")}`);
    return groupOf({ join, ...group }, { kind, context, path });
  });
  return { name, folder: context.folder, groups: resolved };
}

interface Place {
  readonly kind: ProviderKind;
  readonly context: ProviderContext;
  readonly path: SettingPath;
}

function groupOf(group: z.output<typeof Group>, { kind, context, path }: Place): TopologyGroup {
  const options = checked(kind.options, group.with, [...path, "with"]);
  const taken = OWN_LABELS.find((label) => label in group.labels);
  if (taken !== undefined)
    throw invalidSetting([...path, "labels", taken], group.labels[taken], "another name: the deployment sets this one");
  const config: AgentConfig = {
    ...agentOf(group.agent, kind.codeFolder(options, context), [...path, "agent"]),
    ...(group.join === undefined ? {} : { join: group.join }),
    labels: { ...group.labels, topology: context.topology, group: group.name },
  };
  const digest = createHash("sha256")
    .update(JSON.stringify([group.provider, config, options]))
    .digest("hex")
    .slice(0, 16);
  const nodes = Array.from({ length: group.replicas }, (_, index) => ({
    name: `${context.topology}-${group.name}-${index}`,
    group: group.name,
    digest,
  }));
  return { name: group.name, provider: group.provider, kind, options, nodes, config };
}

/** The configuration of an agent, by the agent's own rules. */
function agentOf(given: object, codeFolder: string | undefined, path: SettingPath): AgentConfig {
  const own = GIVEN.find((key) => key in given);
  if (own !== undefined) {
    throw coreError("config.invalid", `${textOfPath([...path, own])} is set by the deployment; leave it out`, {
      details: { path: textOfPath([...path, own]) },
    });
  }
  try {
    const config = checkConfig(given as AgentConfig);
    const { processors } = config;
    if (processors === undefined) return config;
    if (codeFolder !== undefined) return { ...config, processors: placed(processors, codeFolder) };
    for (const [index, spec] of processors.entries()) {
      for (const key of ["file", "cwd"] as const) {
        const value = spec[key];
        if (value === undefined || isAbsolute(value)) continue;
        throw invalidSetting(["processors", index, key], value, "an absolute path, or `with.code` to start from");
      }
    }
    return config;
  } catch (cause) {
    const { message, details } = cause as MetanodeError;
    const where = typeof details?.path === "string" ? details.path : "";
    throw coreError("config.invalid", `${textOfPath(path)}.${message}`, {
      details: { path: `${textOfPath(path)}.${where}` },
      cause,
    });
  }
}
