import { readFileSync } from "node:fs";
import { join } from "node:path";
import { coreError } from "@metanode/core/errors";
import { type Context, contextOf, readContexts } from "./contexts.ts";
import { runningNodeOf } from "./data-folder.ts";

/** The global flags as they were given. */
export interface GlobalFlags {
  readonly url?: string;
  readonly token?: string;
  readonly data?: string;
  readonly context?: string;
}

/** A setting and where it comes from, for people. */
export interface Setting {
  readonly value: string | undefined;
  readonly source: string;
}

/** Which node is meant and how to speak to it. */
export interface Settings {
  /** The name of the context in use. */
  readonly context: Setting;
  readonly data: Setting;
  readonly url: Setting;
  readonly token: Setting;
}

/** A node that can be spoken to. */
export interface Connection {
  readonly url: URL;
  readonly token: string | undefined;
  readonly urlSource: string;
}

const NONE: Setting = { value: undefined, source: "not set" };
const DEFAULT_DATA = ".metanode";

/** One place that can name a node: by its URL, or by its data folder on this machine. */
interface Layer extends Context {
  readonly urlSource: string;
  readonly dataSource: string;
}

/**
 * Finds every setting: flag, then environment, then context, then the data folder on this machine. The first of them that
 * names a node, by its URL or by its data folder, decides which node is meant.
 * A token that belongs to a context or to a data folder is never sent to a URL that comes from elsewhere, unless that URL
 * is on this machine.
 * @throws {MetanodeError} resource.not_found – the context does not exist; config.invalid – its file is wrong.
 */
export async function resolveSettings(flags: GlobalFlags): Promise<Settings> {
  const contexts = await readContexts();
  const name = flags.context ?? contexts.current;
  const context = name === undefined ? {} : contextOf(contexts, name);
  const { METANODE_DATA, METANODE_URL, METANODE_TOKEN } = process.env;
  const ofContext: Layer = { ...context, urlSource: `context ${name}`, dataSource: `context ${name}` };
  const ofEnvironment: Layer = {
    ...(METANODE_URL ? { url: METANODE_URL } : {}),
    ...(METANODE_DATA ? { data: METANODE_DATA } : {}),
    urlSource: "environment METANODE_URL",
    dataSource: "environment METANODE_DATA",
  };
  const layers: Layer[] = [
    { ...flags, urlSource: "flag --url", dataSource: "flag --data" },
    ...(flags.context === undefined ? [ofEnvironment, ofContext] : [ofContext, ofEnvironment]),
    { data: DEFAULT_DATA, urlSource: "default", dataSource: "default" },
  ];
  const data = first(...layers.map(({ data, dataSource }) => [data, dataSource] as const));
  const url = urlOf(layers.find((layer) => layer.url !== undefined || layer.data !== undefined));
  const isOfContext = url.value === context.url || isLocal(url.value);
  const isOfFolder = url.source.endsWith("gateway.json") || isLocal(url.value);
  const token = first(
    [flags.token, "flag --token"],
    [METANODE_TOKEN, "environment METANODE_TOKEN"],
    [isOfContext ? context.token : undefined, `context ${name}`],
    [isOfFolder ? tokenOfFolder(data.value) : undefined, `${data.value}/token`],
  );
  return {
    context: name === undefined ? NONE : { value: name, source: flags.context ? "flag --context" : "current context" },
    data,
    url,
    token,
  };
}

function urlOf(layer: Layer | undefined): Setting {
  if (layer?.url !== undefined) return { value: layer.url, source: layer.urlSource };
  const value = runningNodeOf(layer?.data ?? DEFAULT_DATA).url;
  return value === undefined ? NONE : { value, source: `${layer?.data}/gateway.json` };
}

/** @throws {MetanodeError} node.unreachable – no node is known; usage.invalid – the URL is none. */
export function connectionOf(settings: Settings): Connection {
  const { url, token, data } = settings;
  if (url.value === undefined) {
    throw coreError(
      "node.unreachable",
      `no node runs on the data folder ${data.value}; start one with \`metanode up\`, or name one with --url, METANODE_URL or \`metanode context use\``,
      { details: { data: data.value } },
    );
  }
  return { url: parseUrl(url), token: token.value, urlSource: url.source };
}

function parseUrl({ value, source }: Setting): URL {
  const url = URL.parse(value ?? "");
  if (url !== null && (url.protocol === "http:" || url.protocol === "https:")) return url;
  throw coreError(
    "usage.invalid",
    `${JSON.stringify(value)} (${source}) is no URL of a node, expected for example http://127.0.0.1:7400`,
  );
}

function first(...candidates: readonly (readonly [string | undefined, string])[]): Setting {
  for (const [value, source] of candidates) if (value !== undefined && value !== "") return { value, source };
  return NONE;
}

/** Whether a URL is on this machine. */
export function isLocal(url: string | undefined): boolean {
  const host = URL.parse(url ?? "")?.hostname;
  return host !== undefined && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(host);
}

function tokenOfFolder(data: string | undefined): string | undefined {
  return readIfThere(join(data ?? DEFAULT_DATA, "token"))?.trim();
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined; // what is not readable does not count; `metanode doctor` says why
  }
}
