import type { Message } from "@metanode/core";
import { coreError } from "@metanode/core/errors";
import { intWithin, rejectUnknownKeys, textOf } from "@metanode/core/internal";
import { normalSelector } from "../catalog/normal.ts";
import type { EngineOptions } from "../engine/options.ts";
import type { HttpExecutorOptions } from "../executor/http.ts";
import type { InstanceInput } from "../instance/instance.ts";
import { canonicalMeta, type MetaString, metaTypeOf } from "../meta/meta-string.ts";
import type { NatureOptions } from "../nature/options.ts";
import type { Selector } from "../relation/relation.ts";
import { oneOf } from "../shape.ts";

/** What becomes of a message that is an input. */
export interface InputSpec {
  readonly meta: MetaString;
  /**
   * What is put in of a message, besides its meta; what it leaves out is as without it.
   * @default content is the payload, as JSON unless it is text. Data without states gets an id that the message's key alone makes: each message
   * is one instance, however often it comes. Data with states becomes the next version of the line whose para is the subject, once per key.
   */
  readonly map?: (message: Message) => Omit<InstanceInput, "meta">;
  /** JSON Schema (2020-12) of the payload; what does not fit is refused before it gets here. */
  readonly inputSchema?: unknown;
  readonly description?: string;
}

/** What becomes of a stored instance that is told to the node. */
export interface OutputSpec {
  /** The type of the message. */
  readonly type: string;
  /** Which instances. @default all of the meta */
  readonly selector?: Selector;
  /** `instance` the whole instance; `content` its content as a JSON value. @default "instance" */
  readonly pass?: "instance" | "content";
}

/** How workflows plug into a node. */
export interface NatureModuleOptions
  extends Pick<NatureOptions, "flows" | "executors" | "resolvers" | "callbackSecret" | "retentionPollMs"> {
  /** `postgresql://…`: shared with other nodes. @default SQLite in the node's data folder */
  databaseUrl?: string;
  engine?: Omit<EngineOptions, "clock">;
  http?: Omit<HttpExecutorOptions, "credentials">;
  /** Message types that are inputs: the meta, or more about it. */
  inputs?: Readonly<Record<string, MetaString | InputSpec>>;
  /** Metas whose instances are told to the node, at least once each: the message type, or more about it. */
  outputs?: Readonly<Record<MetaString, string | OutputSpec>>;
  /** Health complains when the longest waiting task waits longer than this, in milliseconds. @default 60_000 */
  maxBacklogAgeMs?: number;
}

const KNOWN: readonly (keyof NatureModuleOptions)[] = [
  "flows",
  "executors",
  "resolvers",
  "callbackSecret",
  "retentionPollMs",
  "databaseUrl",
  "engine",
  "http",
  "inputs",
  "outputs",
  "maxBacklogAgeMs",
];

/** The options of the module alone, resolved; the others go on to {@link openNature}. */
export interface ResolvedModule {
  /** By message type. */
  readonly inputs: ReadonlyMap<string, InputSpec>;
  /** By meta. */
  readonly outputs: ReadonlyMap<MetaString, OutputSpec>;
  readonly maxBacklogAgeMs: number;
  readonly given: NatureModuleOptions;
}

/** @throws config.invalid, meta.syntax */
export function resolveModule(given: NatureModuleOptions): ResolvedModule {
  rejectUnknownKeys("nature", given, KNOWN);
  const inputs = new Map<string, InputSpec>();
  for (const [type, one] of Object.entries(given.inputs ?? {})) {
    const path = `nature.inputs.${type}`;
    const spec = typeof one === "string" ? { meta: one } : one;
    rejectUnknownKeys(path, spec, ["meta", "map", "inputSchema", "description"]);
    const meta = canonicalMeta(textOf(`${path}.meta`, spec.meta));
    if (["M", "L", "S"].includes(metaTypeOf(meta))) {
      throw coreError("config.invalid", `${path}.meta is ${meta}, whose instances only the engine makes; expected another type`, {
        details: { path: `${path}.meta` },
      });
    }
    inputs.set(type, { ...spec, meta });
  }
  const outputs = new Map<MetaString, OutputSpec>();
  for (const [meta, one] of Object.entries(given.outputs ?? {})) {
    const path = `nature.outputs.${meta}`;
    const spec = typeof one === "string" ? { type: one } : one;
    rejectUnknownKeys(path, spec, ["type", "selector", "pass"]);
    textOf(`${path}.type`, spec.type);
    if (spec.pass !== undefined) oneOf(`${path}.pass`, spec.pass, ["instance", "content"]);
    const selector = normalSelector(spec.selector, `${path}.selector`);
    const { type, pass } = spec;
    outputs.set(canonicalMeta(meta), {
      type,
      ...(selector === undefined ? {} : { selector }),
      ...(pass === undefined ? {} : { pass }),
    });
  }
  return { inputs, outputs, maxBacklogAgeMs: intWithin("nature.maxBacklogAgeMs", given.maxBacklogAgeMs ?? 60_000, 1), given };
}
