import { coreError } from "@metanode/core";
import type { Catalog, FailedTask, Instance, Locator, Meta, ReadPage, Relation, Task, TaskView } from "@metanode/nature/internal";
import { z } from "zod";

const SettingsView = z.record(z.string(), z.unknown());

export const MetaBody = {
  description: z.string().optional(),
  states: z.string().optional().describe("A state expression, for example `new|paid`; none = data without states."),
  fields: z.record(z.string(), z.unknown()).optional().describe("A JSON Schema of the content."),
  settings: SettingsView.optional().describe("name, isState, master, multiMeta, cacheSaved, onlyOne, retentionMs"),
  enabled: z.boolean().optional().describe("One that is not counts as not declared. Default true."),
};

export const MetaSchema = z
  .object({
    meta: z.string().describe("`type:key:version`"),
    ...MetaBody,
    enabled: z.boolean(),
    problem: z.string().optional().describe("Why it does not fit; until that is mended it counts as not declared."),
  })
  .meta({ id: "WorkflowMeta", description: "A type of instances" });

export const RelationBody = {
  settings: SettingsView.optional().describe(
    "description, selector, downSelector, executor, before, after, useUpstreamId, target, delayMs, delayOnPara, idBridge",
  ),
  enabled: z.boolean().optional().describe("Default true."),
};

export const RelationSchema = z
  .object({
    from: z.string(),
    to: z.string(),
    settings: SettingsView,
    enabled: z.boolean(),
    problem: z.string().optional().describe("Why it does not fit; until that is mended it counts as disabled."),
  })
  .meta({ id: "WorkflowRelation", description: "How instances of one meta become instances of another" });

export const Id = z.string().describe("Decimal digits, up to 64 bits: too long for the numbers of many languages.");

export const LocatorSchema = z.object({ meta: z.string(), id: Id, para: z.string(), version: z.int() });

export const InstanceSchema = z
  .object({
    key: z.string().describe("`meta|id|para|version`"),
    meta: z.string(),
    id: Id,
    para: z.string(),
    version: z.int().describe("0 for data without states."),
    content: z.string(),
    context: z.record(z.string(), z.string()),
    sysContext: z.record(z.string(), z.string()),
    states: z.array(z.string()),
    from: LocatorSchema.optional().describe("What it was made from; absent for input from outside."),
    createdAt: z.string(),
  })
  .meta({ id: "WorkflowInstance", description: "Immutable data, stored once" });

export const TaskSchema = z
  .object({
    id: z.string(),
    upstream: LocatorSchema,
    to: z.string().describe("The meta that its relation leads to."),
    mission: z.record(z.string(), z.unknown()).describe("The relation as it was when the upstream was stored."),
    createdAt: z.string(),
    dueAt: z.string().describe("Not before."),
    attempts: z.int().describe("Tries that failed."),
    isOwned: z.boolean().optional().describe("Whether an engine is at it; said in lists."),
    error: z.string().optional().describe("Why the last try failed."),
  })
  .meta({ id: "WorkflowTask", description: "One mission on one stored instance" });

export const FailedTaskSchema = z
  .object({
    ...TaskSchema.shape,
    error: z.string(),
    code: z.string().describe("The code of the error."),
    failedAt: z.string(),
  })
  .meta({ id: "FailedWorkflowTask", description: "A task that will not be tried again by itself" });

export const Cursor = z.string().optional().describe("What the last page returned as `next`.");
export const Limit = z.coerce.number().int().min(1).max(1_000).default(100);

/** The shape of a page of a list. */
export function pageSchema<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next: z.string().optional().describe("Absent on the last page.") });
}

export function pageView<T, V>({ items, cursor }: ReadPage<T>, viewOf: (item: T) => V): { items: V[]; next: string | undefined } {
  return { items: items.map(viewOf), next: cursor };
}

export function metaView(given: Meta, catalog: Catalog): z.infer<typeof MetaSchema> {
  const { meta, description, states, fields, settings, enabled = true } = given;
  const kept = { description, states, fields: fields as Record<string, unknown> | undefined, settings: settings as object };
  return { meta, ...(kept as object), enabled, problem: problemOf(catalog, meta) };
}

export function relationView({ from, to, settings, enabled }: Relation, catalog: Catalog): z.infer<typeof RelationSchema> {
  return { from, to, settings: { ...settings }, enabled, problem: problemOf(catalog, `${from} -> ${to}`) };
}

function problemOf(catalog: Catalog, name: string): string | undefined {
  return catalog.problems.find(({ what }) => what === name)?.error.message;
}

export function instanceView(given: Instance): z.infer<typeof InstanceSchema> {
  const { meta, id, para, version, content, context, sysContext, states, from, createdMs } = given;
  return {
    key: `${meta}|${id}|${para}|${version}`,
    meta,
    id,
    para,
    version,
    content,
    context: { ...context },
    sysContext: { ...sysContext },
    states: [...states],
    from: from === undefined ? undefined : locatorView(from),
    createdAt: timeOf(createdMs),
  };
}

function locatorView({ meta, id, para, version }: Locator): z.infer<typeof LocatorSchema> {
  return { meta, id, para, version };
}

export function taskView(given: Task & Partial<Pick<TaskView, "isOwned" | "error">>): z.infer<typeof TaskSchema> {
  const { id, upstream, to, mission, createdMs, dueMs, attempts, isOwned, error } = given;
  return {
    id: String(id),
    upstream: locatorView(upstream),
    to,
    mission: JSON.parse(mission) as Record<string, unknown>,
    createdAt: timeOf(createdMs),
    dueAt: timeOf(dueMs),
    attempts,
    isOwned,
    error,
  };
}

export function failedTaskView(given: FailedTask): z.infer<typeof FailedTaskSchema> {
  const { code, error, failedMs } = given;
  return { ...taskView(given), error, code, failedAt: timeOf(failedMs) };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** A moment in a query, in milliseconds. @throws {MetanodeError} usage.invalid */
export function momentOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isFinite(ms)) return ms;
  throw coreError(
    "usage.invalid",
    `${name} is ${JSON.stringify(text)}, expected a time such as 2026-01-31T12:00:00Z, or milliseconds since 1970`,
    { details: { path: `/query/${name}` } },
  );
}

/** The parts of a key, of which those behind the para may be missing. @throws {MetanodeError} usage.invalid */
export function keyParts(key: string): Omit<Locator, "version"> & { readonly version: number | undefined } {
  const [meta = "", id = "", para = "", version, ...more] = key.split("|");
  const isFitting = meta !== "" && /^\d{0,20}$/.test(id) && /^\d{0,10}$/.test(version ?? "") && more.length === 0;
  if (isFitting)
    return {
      meta,
      id: id === "" ? "0" : id,
      para,
      version: version === undefined || version === "" ? undefined : Number(version),
    };
  throw coreError("usage.invalid", `${JSON.stringify(key)} is no key of an instance, expected meta|id|para|version`, {
    details: { path: "/key" },
  });
}

/** The id of a task in an address. @throws {MetanodeError} usage.invalid */
export function taskIdOf(text: string): number {
  const id = Number(text);
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(id)) return id;
  throw coreError("usage.invalid", `${JSON.stringify(text)} is no id of a task, expected decimal digits`, {
    details: { path: "/id" },
  });
}
