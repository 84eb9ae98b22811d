import type { Alias, KernelInfo, MetaInfo, ProcessInfo, Reason } from "@metanode/actors";
import type { ProcessNode, RootInfo } from "@metanode/actors/module";
import { z } from "zod";

const Count = z.int().min(0);

/** A process as people and the console see it. */
export const ActorView = z
  .object({
    id: z.int().describe("Unique for the life of the node; addresses it in this API."),
    pid: z.string().describe("As logs and errors print it."),
    name: z.string().optional().describe("What it is registered by; addresses it as well."),
    behaviour: z.string().describe("Its class."),
    state: z.enum(["init", "sleep", "running", "wait_response", "terminated", "zombie"]),
    parentId: z.int().describe("1 is the kernel itself."),
    leaderId: z.int(),
    messagesIn: Count,
    messagesOut: Count,
    mailbox: z.object({ urgent: Count, system: Count, main: Count, log: Count }).describe("Mail that waits, by queue."),
    mailboxLimit: z.int().describe("Longest queue; -1 for no limit."),
    uptimeMs: z.number(),
    trapExit: z.boolean(),
    aliases: z.array(z.string()),
    metas: z.array(z.string()).describe("The aliases of its meta-processes."),
    events: z.array(z.string()).describe("The events that it produces."),
    links: z.array(z.string()),
    monitors: z.array(z.string()),
    application: z.string().optional().describe("The application that it belongs to."),
    logLevel: z.string().describe("From which level on it logs."),
  })
  .meta({ id: "Actor", description: "A process of the actor kernel" });

/** A meta-process as people and the console see it. */
export const MetaView = z
  .object({
    id: z.int().describe("Unique for the life of the node; addresses it in this API."),
    alias: z.string().describe("As logs and errors print it."),
    actorId: z.int().describe("The process that it belongs to."),
    behaviour: z.string().describe("Its class."),
    state: z
      .enum(["created", "sleep", "running", "terminated"])
      .describe("Of its mailbox; its main activity may be busy in sleep."),
    messagesIn: Count,
    messagesOut: Count,
    mailbox: z.object({ system: Count, main: Count }),
    mailboxLimit: z.int().describe("Longest queue; -1 for no limit."),
    priority: z.string(),
    uptimeMs: z.number(),
  })
  .meta({ id: "ActorMeta", description: "A meta-process: something that blocks, joined to the world of mailboxes" });

/** A process with what it spawned. */
export const ActorNodeView = z
  .object({
    id: z.int(),
    pid: z.string(),
    name: z.string().optional(),
    behaviour: z.string(),
    state: ActorView.shape.state,
    waiting: Count.describe("Mail that waits, in all queues."),
    metas: z.array(z.object({ id: z.int(), alias: z.string(), behaviour: z.string() })),
    get children() {
      return z.array(ActorNodeView);
    },
  })
  .meta({ id: "ActorNode", description: "A process with what it spawned" });

/** The kernel. */
export const KernelView = z.object({
  node: z.string().describe("`name@host`"),
  creation: z.int().describe("The start of the kernel, in seconds since 1970: PIDs of an earlier life are told apart by it."),
  state: z.enum(["running", "stopping", "stopped"]),
  uptimeMs: z.number(),
  processes: Count,
  metas: Count,
  names: Count,
  aliases: Count,
  events: Count,
  roots: z
    .array(z.object({ name: z.string(), id: z.int().optional(), restarts: Count, lastReason: z.string().optional() }))
    .describe("The configured actors; one without an id is down."),
});

/** A registered event. */
export const EventView = z.object({
  name: z.string(),
  producerId: z.int().describe("1 is the kernel itself."),
  subscribers: Count,
  published: Count,
  delivered: Count,
  buffered: Count,
});

/** @see ActorView */
export function actorView({ pid, parent, leader, ...info }: ProcessInfo): z.infer<typeof ActorView> {
  return {
    id: pid.id,
    pid: String(pid),
    name: info.name,
    behaviour: info.behaviour,
    state: info.state,
    parentId: parent.id,
    leaderId: leader.id,
    messagesIn: info.messagesIn,
    messagesOut: info.messagesOut,
    mailbox: info.mailbox,
    mailboxLimit: info.mailboxLimit,
    uptimeMs: info.uptimeMs,
    trapExit: info.trapExit,
    aliases: [...info.aliases],
    metas: [...info.metas],
    events: [...info.events],
    links: [...info.links],
    monitors: [...info.monitors],
    application: info.application,
    logLevel: info.logLevel,
  };
}

/** @see MetaView */
export function metaView({ alias, parent, ...info }: MetaInfo): z.infer<typeof MetaView> {
  return { id: alias.id, alias: String(alias), actorId: parent.id, ...info };
}

/** @see ActorNodeView */
export function nodeView({ info, children, metas }: ProcessNode): z.infer<typeof ActorNodeView> {
  const { urgent, system, main, log } = info.mailbox;
  return {
    id: info.pid.id,
    pid: String(info.pid),
    name: info.name,
    behaviour: info.behaviour,
    state: info.state,
    waiting: urgent + system + main + log,
    metas: metas.map(({ alias, behaviour }) => ({ id: alias.id, alias: String(alias), behaviour })),
    children: children.map(nodeView),
  };
}

/** @see KernelView */
export function kernelView(info: KernelInfo, metas: readonly Alias[], roots: readonly RootInfo[]): z.infer<typeof KernelView> {
  return {
    ...info,
    uptimeMs: Math.round(info.uptimeMs),
    metas: metas.length,
    events: info.events.length,
    roots: roots.map(({ name, pid, restarts, lastReason }) => ({
      name,
      id: pid?.id,
      restarts,
      lastReason: lastReason === undefined ? undefined : reasonText(lastReason),
    })),
  };
}

/** @see EventView */
export function eventView({ producer, ...info }: KernelInfo["events"][number]): z.infer<typeof EventView> {
  return { ...info, producerId: producer.id };
}

function reasonText(reason: Reason): string {
  return typeof reason === "string" ? reason : reason.message;
}

/** One page. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next: z.string().optional().describe("Absent on the last page.") });
}
