import type { Instance, Locator } from "../instance/instance.ts";
import type { Store } from "../store/full-store.ts";
import type { NewTask, Unit, UnitResult } from "../store/store.ts";
import type { StoreHarness } from "./store-harness.ts";

/** When everything in the suite happens, unless a test says otherwise. */
export const NOW_MS = 1_795_000_000_123;
/** The longest that anything is waited for: only a failing test comes near. */
const PATIENCE_MS = 15_000;

/** An instance: stateless, without upstream, of id 1, unless `given` says otherwise. */
export function instanceOf(given: Partial<Instance> = {}): Instance {
  return {
    meta: "B:test/order:1",
    id: "1",
    para: "",
    version: 0,
    content: "",
    context: {},
    sysContext: {},
    states: [],
    from: undefined,
    createdMs: NOW_MS,
    ...given,
  };
}

/** The key of an instance. */
export function locatorOf({ meta, id, para, version }: Locator): Locator {
  return { meta, id, para, version };
}

/** A task that follows from an instance and belongs to the engine that stores it, unless `given` says otherwise. */
export function taskOf(store: Store, upstream: Locator, given: Partial<NewTask> = {}): NewTask {
  return {
    id: store.newTaskId(),
    upstream: locatorOf(upstream),
    to: "B:test/next:1",
    mission: '{"to":"B:test/next:1"}',
    createdMs: NOW_MS,
    dueMs: NOW_MS,
    attempts: 0,
    mine: true,
    ...given,
  };
}

/** A unit of instances without tasks. */
export function unitOf(...instances: readonly Instance[]): Unit {
  return { instances: instances.map((instance) => ({ instance, tasks: [] })) };
}

/** Stores instances, each in a unit of its own. */
export async function put(store: Store, ...instances: readonly Instance[]): Promise<UnitResult[]> {
  return store.commit(instances.map((instance) => unitOf(instance)));
}

/** Stores an instance with one task that follows from it, which comes back. */
export async function putTask(store: Store, instance: Instance, given: Partial<NewTask> = {}): Promise<NewTask> {
  const task = taskOf(store, instance, given);
  await store.commit([{ instances: [{ instance, tasks: [task] }] }]);
  return task;
}

/** What is stored at the key of an instance. */
export async function stored(store: Store, key: Locator): Promise<Instance | undefined> {
  return (await store.load([key]))[0];
}

/** The versions of a line. */
export async function versions(store: Store, { meta, id, para }: Omit<Locator, "version">): Promise<number[]> {
  const bound = `${meta}|${id}|${para}`;
  return (await store.range({ keyGe: bound, keyLe: bound, limit: 1_000 })).map(({ version }) => version);
}

/** Another engine on the same database. */
export async function another(harness: StoreHarness): Promise<Store> {
  if (harness.another === undefined) throw new Error("this store is for one engine");
  return harness.another();
}

/** Resolves when `holds` does. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${PATIENCE_MS} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export const DONE_NEW = { status: "done", stored: [true] } as const;
export const DONE_BEFORE = { status: "done", stored: [false] } as const;
export const CONFLICT = { status: "conflict" } as const;
export const LOST = { status: "lost" } as const;
