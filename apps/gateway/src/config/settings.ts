import { resolve } from "node:path";
import { coreError, type ProcessorSpec } from "@metanode/core";
import { isTrustedUrl } from "../access/oidc.ts";
import { ROLES, type Role } from "../access/roles.ts";
import type { ActorSpec } from "../actors.ts";
import type { ValueSource } from "./types.ts";
import { checkInputs, checkOutputs } from "./workflow-messages.ts";

/** Where a value stands while it is checked. */
export interface Place {
  readonly setting: Setting;
  readonly source: ValueSource;
  /** The folder that relative paths in the value are meant from. */
  readonly base: string;
}

/** One key of the configuration. This table is all that there is: file, environment, flags and `--print-config` follow it. */
export interface Setting {
  /** `listen.port` */
  readonly path: string;
  /** What a value must be, for messages and for people. */
  readonly expected: string;
  readonly defaultValue: unknown;
  readonly isSecret?: boolean;
  /** What people see in place of a default that is not written down. */
  readonly defaultText?: string;
  /** A variable that other programs know as well; read where nothing else says it. */
  readonly alsoVariable?: string;
  /** The value, made ready for use. @throws {MetanodeError} config.invalid */
  readonly check: (value: unknown, place: Place) => unknown;
  /** The value that the text of an environment variable stands for. @throws {MetanodeError} config.invalid */
  readonly parse: (text: string, place: Place) => unknown;
}

/** Names the configuration file, as `--config` does. */
export const CONFIG_VARIABLE = "METANODE_CONFIG";

/** Variables of the same prefix that are no settings: of the command line, of this file's own, and of processors. */
export const OTHER_VARIABLES = [
  CONFIG_VARIABLE,
  "METANODE_URL",
  "METANODE_ADDRESS",
  "METANODE_SECRET",
  "METANODE_PROCESSOR",
] as const;

/** The environment variable of a setting: `durable.maxAttempts` is METANODE_DURABLE_MAX_ATTEMPTS. */
export function variableOf(path: string): string {
  return `METANODE_${path
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .replaceAll(".", "_")
    .toUpperCase()}`;
}

/** What stands at a path of nested objects. */
export function settingOf(config: object, path: string): unknown {
  return path.split(".").reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], config);
}

/** Says what was found, what was expected and where to change it. */
export function refuse(found: unknown, { setting, source }: Place, expected: string = setting.expected): never {
  const { path } = setting;
  const variable = variableOf(path);
  const shown = setting.isSecret ? "(hidden)" : shownAs(found);
  const from = source.from === undefined || source.kind === "option" ? "" : ` in ${source.from}`;
  throw coreError("config.invalid", `${path} is ${shown}${from}, expected ${expected}; set ${path} or ${variable}`, {
    details: { path, variable, expected, source: source.kind },
  });
}

function shownAs(found: unknown): string {
  if (typeof found === "object" && found !== null) return Array.isArray(found) ? "a list" : "an object";
  return typeof found === "string" ? JSON.stringify(found.slice(0, 80)) : String(found);
}

type Head = Pick<Setting, "path" | "expected" | "defaultValue">;

function integer(path: string, defaultValue: number, [min, max]: readonly [number, number]): Setting {
  const expected = `a whole number from ${min} to ${max}`;
  const isFitting = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
  return {
    path,
    expected,
    defaultValue,
    check: (value, place) => (isFitting(value) ? value : refuse(value, place)),
    parse: (text, place) => (/^-?\d+$/.test(text.trim()) ? Number(text) : refuse(text, place)),
  };
}

function text(head: Head, isFitting: (value: string) => boolean): Setting {
  return {
    ...head,
    check: (value, place) => (typeof value === "string" && isFitting(value) ? value : refuse(value, place)),
    parse: (value) => value,
  };
}

function flag(head: Head): Setting {
  return {
    ...head,
    check: (value, place) => (typeof value === "boolean" ? value : refuse(value, place)),
    parse: (value, place) => (["true", "false"].includes(value) ? value === "true" : refuse(value, place)),
  };
}

function json(head: Head, check: Setting["check"]): Setting {
  const parse: Setting["parse"] = (value, place) => {
    try {
      return JSON.parse(value) as unknown;
    } catch (cause) {
      return refuse(value, place, `${head.expected}, as JSON (${(cause as Error).message})`);
    }
  };
  return { ...head, check, parse };
}

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];
/** The longest time that one timer of the runtime can wait, about 24 days. */
const LONGEST_MS = 2_147_483_647;
const MIB = 1024 * 1024;

function checkBackoff(value: unknown, place: Place): readonly number[] {
  const isFitting =
    Array.isArray(value) && value.length > 0 && value.every((one) => Number.isInteger(one) && one >= 0 && one <= LONGEST_MS);
  return isFitting ? Object.freeze([...(value as number[])]) : refuse(value, place);
}

/** Processors find their files from where they were written down; core checks everything else about them. */
function placeProcessors(value: unknown, place: Place): readonly ProcessorSpec[] {
  if (!Array.isArray(value) || !value.every((one) => typeof one === "object" && one !== null)) return refuse(value, place);
  return value.map((spec: ProcessorSpec) => ({
    ...spec,
    ...(typeof spec.file === "string" && spec.file !== "" ? { file: resolve(place.base, spec.file) } : {}),
    ...(typeof spec.cwd === "string" ? { cwd: resolve(place.base, spec.cwd) } : {}),
  }));
}

/** Actors find their files from where they were written down. */
function placeActors(value: unknown, place: Place): readonly ActorSpec[] {
  if (!Array.isArray(value) || !value.every((one) => typeof one === "object" && one !== null)) return refuse(value, place);
  return value.map((spec: ActorSpec) =>
    typeof spec.file === "string" && spec.file !== "" ? { ...spec, file: resolve(place.base, spec.file) } : spec,
  );
}

/** Files find their place from where they were written down. */
function placeFiles(value: unknown, place: Place): readonly string[] {
  const isFitting = Array.isArray(value) && value.every((one) => typeof one === "string" && one !== "");
  return isFitting ? Object.freeze((value as string[]).map((one) => resolve(place.base, one))) : refuse(value, place);
}

/** What an object holds is checked by its own rule. */
function objectOf(check: (path: string, given: object) => void): Setting["check"] {
  return (value, place) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(value, place);
    check(place.setting.path, value);
    return value;
  };
}

function isUrlOf(protocols: readonly string[]): (value: string) => boolean {
  return (value) => protocols.includes(URL.parse(value)?.protocol ?? "");
}

/** Workflows. */
const nature: readonly Setting[] = [
  {
    ...flag({ path: "nature.enabled", expected: "true or false", defaultValue: undefined }),
    defaultText: "true if another setting of nature is given",
  },
  {
    ...text(
      { path: "nature.databaseUrl", expected: "postgresql://user:password@host:port/database", defaultValue: undefined },
      isUrlOf(["postgresql:", "postgres:"]),
    ),
    isSecret: true,
    defaultText: "a SQLite database in the data folder",
    alsoVariable: "DATABASE_URL",
  },
  json({ path: "nature.flows", expected: "a list of files", defaultValue: [] }, placeFiles),
  json(
    { path: "nature.inputs", expected: "an object: message types, and the meta of each", defaultValue: {} },
    objectOf(checkInputs),
  ),
  json(
    { path: "nature.outputs", expected: "an object: metas, and the message type of each", defaultValue: {} },
    objectOf(checkOutputs),
  ),
  integer("nature.concurrency", 64, [1, 100_000]),
  {
    ...text(
      { path: "nature.callbackUrl", expected: "http://… or https://…", defaultValue: undefined },
      isUrlOf(["http:", "https:"]),
    ),
    defaultText: "this gateway's own",
  },
  flag({ path: "nature.compat", expected: "true or false", defaultValue: false }),
  flag({ path: "nature.compatToken", expected: "true or false", defaultValue: true }),
];

/** Graphs. */
const streams: readonly Setting[] = [
  flag({ path: "streams.enabled", expected: "true or false", defaultValue: true }),
  json({ path: "streams.actions", expected: "a list of files", defaultValue: [] }, placeFiles),
  flag({ path: "streams.compat", expected: "true or false", defaultValue: false }),
  flag({ path: "streams.compatToken", expected: "true or false", defaultValue: true }),
];

const LINK_ADDRESS = /^([^\s/]+:\d{1,5}|nats:[\w.-]+)$/;

/** Other nodes. */
const tree: readonly Setting[] = [
  {
    ...text({ path: "tree.listen", expected: "host:port or nats:<name>", defaultValue: undefined }, (value) =>
      LINK_ADDRESS.test(value),
    ),
    defaultText: "any free port of this machine's loopback, from the first token on",
  },
  {
    ...text({ path: "tree.advertise", expected: "host:port or nats:<name>", defaultValue: undefined }, (value) =>
      LINK_ADDRESS.test(value),
    ),
    defaultText: "the address that it listens on",
  },
  {
    ...text({ path: "tree.nats", expected: "nats://host:port", defaultValue: undefined }, isNatsUrl),
    isSecret: true,
    defaultText: "none: links go over gRPC",
  },
  {
    ...text({ path: "tree.join", expected: "a token of another node", defaultValue: undefined }, isSaid),
    isSecret: true,
    defaultText: "none",
  },
  json({ path: "tree.labels", expected: "an object of texts", defaultValue: {} }, checkLabels),
  integer("tree.maxInMaintenance", 0, [0, 100_000]),
  integer("tree.leaseMs", 30_000, [1_000, 3_600_000]),
  { ...text({ path: "tree.standby", expected: "the name of a child", defaultValue: undefined }, isSaid), defaultText: "nobody" },
];

function checkLabels(value: unknown, place: Place): Readonly<Record<string, string>> {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  const isFitting = isObject && Object.values(value).every((one) => typeof one === "string");
  return isFitting ? Object.freeze({ ...(value as Record<string, string>) }) : refuse(value, place);
}

/** Who else vouches for people. */
const auth: readonly Setting[] = [
  {
    ...text(
      { path: "auth.oidc.issuer", expected: "https://…, or http://… on this machine", defaultValue: undefined },
      isTrustedUrl,
    ),
    defaultText: "none",
  },
  {
    ...text({ path: "auth.oidc.audience", expected: "what tokens for this node say in aud", defaultValue: undefined }, isSaid),
    defaultText: "none",
  },
  text({ path: "auth.oidc.rolesClaim", expected: "the name of a claim", defaultValue: "roles" }, isSaid),
  json(
    { path: "auth.oidc.roles", expected: `an object whose values are each one of ${ROLES.join(", ")}`, defaultValue: {} },
    checkRoles,
  ),
];

function checkRoles(value: unknown, place: Place): Readonly<Record<string, Role>> {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  const isFitting = isObject && Object.values(value).every((one) => ROLES.some((role) => role === one));
  return isFitting ? Object.freeze({ ...(value as Record<string, Role>) }) : refuse(value, place);
}

function isNatsUrl(value: string): boolean {
  return /^(nats|tls):\/\/[^\s/]+$/.test(value);
}

function isSaid(value: string): boolean {
  return value.trim() !== "";
}

const data: Setting = {
  path: "data",
  expected: "a folder",
  defaultValue: ".metanode",
  check: (value, place) => (typeof value === "string" && value !== "" ? resolve(place.base, value) : refuse(value, place)),
  parse: (value) => value,
};

/** Every setting, in the order in which people see them. */
export const SETTINGS: readonly Setting[] = [
  text({ path: "name", expected: "lower-case letters, digits and -, at most 63", defaultValue: "node" }, (value) =>
    /^[a-z0-9][a-z0-9-]{0,62}$/.test(value),
  ),
  data,
  text({ path: "listen.host", expected: "an address or host name", defaultValue: "127.0.0.1" }, (value) =>
    /^[^\s/]+$/.test(value),
  ),
  integer("listen.port", 7400, [0, 65_535]),
  integer("listen.rateLimit", 0, [0, 1_000_000]),
  ...auth,
  text({ path: "log.level", expected: `one of ${LEVELS.join(", ")}`, defaultValue: "info" }, (value) => LEVELS.includes(value)),
  integer("callTimeoutMs", 30_000, [1, LONGEST_MS]),
  integer("maxMessageBytes", 4 * MIB, [1_024, 32 * MIB]),
  integer("hopLimit", 128, [1, 128]),
  integer("durable.timeoutMs", 30_000, [1, LONGEST_MS]),
  integer("durable.maxAttempts", 10, [1, 1_000_000]),
  json(
    {
      path: "durable.backoffMs",
      expected: "a list of delays, each a whole number of milliseconds, 0 or more",
      defaultValue: [100, 500, 2_000, 10_000, 30_000],
    },
    checkBackoff,
  ),
  integer("durable.maxInFlight", 256, [1, 100_000]),
  json({ path: "processors", expected: "a list of processors", defaultValue: [] }, placeProcessors),
  json({ path: "actors", expected: "a list of actors", defaultValue: [] }, placeActors),
  ...nature,
  ...streams,
  ...tree,
  {
    ...text(
      { path: "token", expected: "at least 16 printable ASCII characters without spaces", defaultValue: undefined },
      (value) => /^[\u0021-\u007e]{16,512}$/.test(value),
    ),
    isSecret: true,
    defaultText: "made at the first start, kept in the data folder",
  },
];
