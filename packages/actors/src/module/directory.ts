import { actorError } from "../errors.ts";
import { nodeChecksum } from "../identity/checksum.ts";
import { Alias, PID } from "../identity/index.ts";
import type { ProcessInfo } from "../kernel/info.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { MetaInfo } from "../meta/control.ts";

/** In front of a name that could be taken for an id or for something else. */
const NAME_PREFIX = "name:";
const TWO_TO_32 = 2 ** 32;

/**
 * The process that a text means: an id (`1001`), a registered name (`tally`), a name that looks like something else
 * (`name:1001`), or what a PID or a process name prints (`<9B2F6A3C.0.1001>`).
 * @throws actor.process_unknown
 */
export function findProcess(kernel: Kernel, text: string): PID {
  const found = pidOf(kernel, text);
  if (found !== undefined && kernel.isAlive(found)) return found;
  throw actorError("actor.process_unknown", `no process is ${text}: expected an id, a name, or a PID of ${kernel.name}`);
}

function pidOf(kernel: Kernel, text: string): PID | undefined {
  if (/^\d{1,15}$/.test(text)) return new PID(kernel.name, Number(text), kernel.core.creation);
  if (text.startsWith(NAME_PREFIX)) return kernel.whereIs(text.slice(NAME_PREFIX.length));
  const [, checksum, rest = ""] = /^<([0-9A-F]{8})\.(.+)>$/.exec(text) ?? [];
  if (checksum === undefined) return kernel.whereIs(text);
  const id = idIn(rest);
  if (checksum !== nodeChecksum(kernel.name) && checksum !== nodeChecksum("")) return undefined;
  return id === undefined ? kernel.whereIs(rest) : new PID(kernel.name, id, kernel.core.creation);
}

/** The meta-process that a text means: its id (`17`), or what its alias prints. @throws actor.meta_unknown */
export function findMeta(kernel: Kernel, text: string): Alias {
  const [, checksum, rest = ""] = /^Alias#<([0-9A-F]{8})\.(\d+\.\d+)\.0>$/.exec(text) ?? [];
  const isHere = checksum === undefined || checksum === nodeChecksum(kernel.name);
  const id = /^\d{1,15}$/.test(text) ? Number(text) : idIn(rest);
  const alias = id === undefined || !isHere ? undefined : new Alias(kernel.name, id, kernel.core.creation);
  if (alias !== undefined && infoOf(kernel, alias) !== undefined) return alias;
  throw actorError("actor.meta_unknown", `no meta-process is ${text}: expected an id or an alias of ${kernel.name}`);
}

function idIn(text: string): number | undefined {
  const [, high, low] = /^(\d+)\.(\d+)$/.exec(text) ?? [];
  return high === undefined ? undefined : Number(high) * TWO_TO_32 + Number(low);
}

/** One page of a list, oldest first. */
export interface Page<T> {
  readonly items: readonly T[];
  /** The id to go on after; undefined on the last page. */
  readonly nextAfter: number | undefined;
}

interface Range {
  /** Only ids over this. @default 0 */
  readonly afterId?: number;
  readonly limit: number;
}

/** Processes in the order of their ids. */
export function listProcesses(kernel: Kernel, range: Range): Page<ProcessInfo> {
  return page(kernel.processes(), range, (pid) => kernel.processInfo(pid));
}

/** Meta-processes in the order of their ids; `parent` leaves only those of one process. */
export function listMetas(kernel: Kernel, range: Range & { readonly parent?: PID }): Page<MetaInfo> {
  const { parent } = range;
  // One whose alias is gone already, and whose main activity goes on, is none that could be asked.
  const infos = kernel.metas().flatMap((alias) => infoOf(kernel, alias) ?? []);
  const wanted = parent === undefined ? infos : infos.filter((info) => info.parent.id === parent.id);
  return page(
    wanted.map((info) => info.alias),
    range,
    (alias) => kernel.metaInfo(alias),
  );
}

function infoOf(kernel: Kernel, alias: Alias): MetaInfo | undefined {
  try {
    return kernel.metaInfo(alias);
  } catch {
    return undefined;
  }
}

function page<A extends { readonly id: number }, T>(all: readonly A[], range: Range, read: (address: A) => T): Page<T> {
  const { afterId = 0, limit } = range;
  const rest = all.filter(({ id }) => id > afterId).sort((a, b) => a.id - b.id);
  const shown = rest.slice(0, limit);
  return { items: shown.map(read), nextAfter: rest.length > limit ? shown.at(-1)?.id : undefined };
}

/** A process with what it spawned. */
export interface ProcessNode {
  readonly info: ProcessInfo;
  readonly children: ProcessNode[];
  readonly metas: MetaInfo[];
}

/** Processes below those that spawned them. */
export interface ProcessTree {
  /** Those whose parent is the kernel, or has ended. */
  readonly roots: readonly ProcessNode[];
  /** Whether there are more processes than were asked for. */
  readonly isCut: boolean;
}

/** The oldest `limit` processes as a tree: a parent is older than what it spawns, so that no branch is torn off. */
export function processTree(kernel: Kernel, limit: number): ProcessTree {
  const { items, nextAfter } = listProcesses(kernel, { limit });
  const nodes = new Map<number, ProcessNode>();
  const roots: ProcessNode[] = [];
  for (const info of items) {
    const node: ProcessNode = { info, children: [], metas: [] };
    nodes.set(info.pid.id, node);
    (nodes.get(info.parent.id)?.children ?? roots).push(node);
  }
  for (const alias of kernel.metas()) {
    const info = infoOf(kernel, alias);
    if (info !== undefined) nodes.get(info.parent.id)?.metas.push(info);
  }
  return { roots, isCut: nextAfter !== undefined };
}
