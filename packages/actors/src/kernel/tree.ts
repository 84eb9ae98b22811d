import type { SupervisorInfo } from "../behaviour/children.ts";
import { Supervisor } from "../behaviour/supervisor.ts";
import type { PID } from "../identity/index.ts";
import type { MetaRun } from "../meta/run.ts";
import type { Process, ProcessState } from "../process/process.ts";
import type { Tables } from "../runtime/tables.ts";

/** One process and what it has spawned, as data. */
export interface TreeNode {
  readonly pid: PID;
  readonly name: string | undefined;
  readonly behaviour: string;
  readonly state: ProcessState;
  /** Who spawned it; the root of a tree may have had a parent that has ended. */
  readonly parent: PID;
  /** Messages that wait. */
  readonly waiting: number;
  /** The addresses of its meta-processes. */
  readonly metas: readonly string[];
  /** Of a supervisor that has begun: what it does, and what it did. */
  readonly supervisor: SupervisorInfo | undefined;
  /** Oldest first. */
  readonly children: readonly TreeNode[];
}

interface Growing extends TreeNode {
  readonly children: Growing[];
}

/** All processes as trees: below each what it has spawned. Oldest first. */
export function processTree(tables: Tables): readonly TreeNode[] {
  const nodes = new Map<number, Growing>();
  for (const process of tables.processes.values()) nodes.set(process.pid.id, nodeOf(process));
  const roots: TreeNode[] = [];
  for (const node of nodes.values()) {
    const above = node.parent.id === tables.core.id ? undefined : nodes.get(node.parent.id);
    (above?.children ?? roots).push(node);
  }
  return roots;
}

function nodeOf(process: Process): Growing {
  const { behaviour, extras } = process;
  const { urgent, system, main, log } = process.waiting();
  return {
    pid: process.pid,
    name: process.name,
    behaviour: behaviour.constructor.name,
    state: process.state,
    parent: process.parent,
    waiting: urgent + system + main + log,
    metas: [...(extras?.metas ?? [])].map((meta) => String((meta as MetaRun).alias)),
    supervisor: behaviour instanceof Supervisor ? behaviour.supervisorInfo() : undefined,
    children: [],
  };
}
