import type { Alias, PID } from "../identity/index.ts";
import type { Process, ProcessState } from "../process/process.ts";
import type { Tables } from "../runtime/tables.ts";
import type { Application, ApplicationState } from "./application.ts";
import type { ApplicationMode } from "./spec.ts";

/** One application, as data. */
export interface ApplicationInfo {
  readonly name: string;
  readonly description: string;
  readonly version: string;
  readonly state: ApplicationState;
  /** Of the present start, or that of the next one if nothing else is said. */
  readonly mode: ApplicationMode;
  readonly dependsOn: readonly string[];
  readonly tags: readonly string[];
  readonly weight: number;
  readonly roles: Readonly<Record<string, string>>;
  /** The node that asked for its start. */
  readonly requestedBy: string;
  /** Since all members ran; 0 = it does not run. */
  readonly uptimeMs: number;
  /** The group members that live, in the order of their start. */
  readonly members: readonly PID[];
  /** All processes, also those whose `terminate` still runs. */
  readonly processes: number;
  /** Its processes under those that spawned them. */
  readonly tree: readonly ApplicationNode[];
}

/** One process of an application, and what it spawned. */
export interface ApplicationNode {
  readonly pid: PID;
  readonly name: string | undefined;
  readonly behaviour: string;
  readonly state: ProcessState;
  readonly metas: readonly Alias[];
  readonly children: readonly ApplicationNode[];
}

/** Describes an application. */
export function applicationInfo(tables: Tables, application: Application): ApplicationInfo {
  const { spec, state, mode, requestedBy, runningSinceMs } = application;
  return {
    name: spec.name,
    description: spec.description ?? "",
    version: spec.version ?? "",
    state,
    mode,
    dependsOn: [...(spec.dependsOn ?? [])],
    tags: [...(spec.tags ?? [])],
    weight: spec.weight ?? 0,
    roles: { ...spec.roles },
    requestedBy,
    uptimeMs: runningSinceMs === undefined ? 0 : tables.clock.now() - runningSinceMs,
    members: [...application.members].map(({ pid }) => pid),
    processes: application.live,
    tree: treeOf(application.processes()),
  };
}

interface Growing extends ApplicationNode {
  readonly children: Growing[];
}

/** Every process stands under its parent; one whose parent is gone, or is none of them, at the top. */
function treeOf(processes: readonly Process[]): ApplicationNode[] {
  const nodes = new Map<number, Growing>();
  const roots: Growing[] = [];
  for (const process of processes) {
    const { pid, name, state, behaviour, extras } = process;
    const metas = [...(extras?.metas ?? [])].map((meta) => (meta as Process & { alias: Alias }).alias);
    const node: Growing = { pid, name, behaviour: behaviour.constructor.name, state, metas, children: [] };
    nodes.set(pid.id, node);
    // A parent is older than what it spawned, so it has its node already.
    const parent = nodes.get(process.parent.id);
    if (parent === undefined) roots.push(node);
    else parent.children.push(node);
  }
  return roots;
}
