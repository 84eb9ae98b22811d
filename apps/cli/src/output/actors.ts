import type { ActorNodeView, ActorView, ApplicationView, EventView, KernelView, MetaView } from "../api/actors.ts";
import { formatDuration } from "../duration.ts";
import type { Output } from "./output.ts";
import { paintState } from "./processors.ts";
import { renderFields } from "./table.ts";

/** The actors of a node, one line each. */
export function actorTable(output: Output, items: readonly ActorView[]): string {
  return output.table(
    items,
    [
      { title: "ID", value: (row) => row.id, align: "right" },
      { title: "NAME", value: (row) => row.name },
      { title: "CLASS", value: (row) => row.behaviour },
      { title: "STATE", value: (row) => row.state },
      { title: "MAIL", value: waitingOf, align: "right" },
      { title: "IN", value: (row) => row.messagesIn, align: "right" },
      { title: "OUT", value: (row) => row.messagesOut, align: "right" },
      { title: "METAS", value: (row) => row.metas.length, align: "right" },
      { title: "PARENT", value: (row) => row.parentId, align: "right" },
      { title: "AGE", value: (row) => formatDuration(row.uptimeMs) },
    ],
    "no actors",
  );
}

/** Meta-processes, one line each. */
export function metaTable(output: Output, items: readonly MetaView[]): string {
  return output.table(
    items,
    [
      { title: "META", value: (row) => `meta:${row.id}` },
      { title: "CLASS", value: (row) => row.behaviour },
      { title: "STATE", value: (row) => row.state },
      { title: "ACTOR", value: (row) => row.actorId, align: "right" },
      { title: "MAIL", value: (row) => row.mailbox.main + row.mailbox.system, align: "right" },
      { title: "IN", value: (row) => row.messagesIn, align: "right" },
      { title: "OUT", value: (row) => row.messagesOut, align: "right" },
      { title: "AGE", value: (row) => formatDuration(row.uptimeMs) },
    ],
    "no meta-processes",
  );
}

/** Applications, one line each. */
export function applicationTable(output: Output, items: readonly ApplicationView[]): string {
  return output.table(
    items,
    [
      { title: "APPLICATION", value: (row) => row.name },
      { title: "VERSION", value: (row) => row.version || undefined },
      { title: "STATE", value: (row) => row.state, paint: (text, row) => paintState(output, text, row.state) },
      { title: "MODE", value: (row) => row.mode },
      { title: "ACTORS", value: (row) => row.processes, align: "right" },
      { title: "AGE", value: (row) => (row.uptimeMs === 0 ? undefined : formatDuration(row.uptimeMs)) },
      { title: "DEPENDS ON", value: (row) => listed(row.dependsOn) },
    ],
    "no applications",
  );
}

/** Events, one line each. */
export function eventTable(output: Output, items: readonly EventView[]): string {
  return output.table(
    items,
    [
      { title: "EVENT", value: (row) => row.name },
      { title: "PRODUCER", value: (row) => row.producerId, align: "right" },
      { title: "SUBSCRIBERS", value: (row) => row.subscribers, align: "right" },
      { title: "PUBLISHED", value: (row) => row.published, align: "right" },
      { title: "DELIVERED", value: (row) => row.delivered, align: "right" },
      { title: "BUFFERED", value: (row) => row.buffered, align: "right" },
    ],
    "no events",
  );
}

interface TreeRow {
  readonly label: string;
  readonly id: string;
  readonly behaviour: string;
  readonly state: string | undefined;
  readonly waiting: number | undefined;
}

/** Actors below those that spawned them. */
export function actorTree(output: Output, roots: readonly ActorNodeView[]): string {
  return output.table(
    roots.flatMap((root) => rowsOf(root, "", "")),
    [
      { title: "ACTOR", value: (row) => row.label },
      { title: "ID", value: (row) => row.id },
      { title: "CLASS", value: (row) => row.behaviour },
      { title: "STATE", value: (row) => row.state },
      { title: "MAIL", value: (row) => row.waiting, align: "right" },
    ],
    "no actors",
  );
}

function rowsOf(node: ActorNodeView, lead: string, below: string): TreeRow[] {
  const { id, name, behaviour, state, waiting, metas, children } = node;
  const own: TreeRow = { label: `${lead}${name ?? `(${behaviour})`}`, id: String(id), behaviour, state, waiting };
  const count = metas.length + children.length;
  const branch = (index: number): [lead: string, below: string] =>
    index === count - 1 ? [`${below}└─ `, `${below}   `] : [`${below}├─ `, `${below}│  `];
  const lower = metas.map((meta, index): TreeRow => {
    const label = `${branch(index)[0]}(${meta.behaviour})`;
    return { label, id: `meta:${meta.id}`, behaviour: meta.behaviour, state: undefined, waiting: undefined };
  });
  return [own, ...lower, ...children.flatMap((child, index) => rowsOf(child, ...branch(metas.length + index)))];
}

/** One actor with its counters and relations. */
export function actorDetails(view: ActorView): string {
  const { urgent, system, main, log } = view.mailbox;
  return renderFields([
    ["actor", view.name ?? view.id],
    ["id", view.id],
    ["pid", view.pid],
    ["class", view.behaviour],
    ["state", view.state],
    ["age", formatDuration(view.uptimeMs)],
    ["parent", view.parentId],
    ["leader", view.leaderId],
    ["mail", `urgent ${urgent}, system ${system}, main ${main}, log ${log}${limitText(view.mailboxLimit)}`],
    ["in, out", `${view.messagesIn}, ${view.messagesOut}`],
    ["traps exits", view.trapExit ? "yes" : "no"],
    ["metas", listed(view.metas)],
    ["aliases", listed(view.aliases)],
    ["events", listed(view.events)],
    ["links", listed(view.links)],
    ["monitors", listed(view.monitors)],
  ]);
}

/** One meta-process with its counters. */
export function metaDetails(view: MetaView): string {
  return renderFields([
    ["meta", `meta:${view.id}`],
    ["alias", view.alias],
    ["class", view.behaviour],
    ["state", view.state],
    ["age", formatDuration(view.uptimeMs)],
    ["actor", view.actorId],
    ["mail", `system ${view.mailbox.system}, main ${view.mailbox.main}${limitText(view.mailboxLimit)}`],
    ["in, out", `${view.messagesIn}, ${view.messagesOut}`],
    ["sends with priority", view.priority],
  ]);
}

/** The kernel and its configured actors. */
export function kernelDetails(output: Output, view: KernelView): string {
  const head = renderFields([
    ["kernel", view.node],
    ["state", view.state],
    ["age", formatDuration(view.uptimeMs)],
    ["actors", view.processes],
    ["metas", view.metas],
    ["names", view.names],
    ["events", view.events],
  ]);
  const stateOf = (root: KernelView["roots"][number]): string => (root.id === undefined ? "down" : "running");
  const roots = output.table(
    view.roots,
    [
      { title: "ROOT", value: (row) => row.name },
      { title: "STATE", value: stateOf, paint: (text, row) => paintState(output, text, stateOf(row)) },
      { title: "ID", value: (row) => row.id, align: "right" },
      { title: "RESTARTS", value: (row) => row.restarts, align: "right" },
      { title: "ENDED LAST WITH", value: (row) => row.lastReason },
    ],
    "no configured actors",
  );
  return [head, roots].join("\n\n");
}

function waitingOf({ mailbox }: ActorView): number {
  return mailbox.urgent + mailbox.system + mailbox.main + mailbox.log;
}

function limitText(limit: number): string {
  return limit < 0 ? "" : ` (at most ${limit} each)`;
}

function listed(texts: readonly string[]): string | undefined {
  return texts.length === 0 ? undefined : texts.join(", ");
}
