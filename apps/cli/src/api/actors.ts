import { coreError } from "@metanode/core/errors";
import { paths } from "./paths.ts";

/** Words of the API's own below `/actors`: an actor of such a name goes by its prefix. */
const RESERVED = new Set(["kernel", "tree", "events", "meta", "applications"]);
const META = "meta:";

/** Where an actor or a meta-process is found, by what was typed. */
export function actorPath(typed: string, action = ""): string {
  const meta = metaOf(typed);
  if (meta !== undefined) return paths.actorMeta(meta, action);
  return paths.actor(RESERVED.has(typed) ? `name:${typed}` : typed, action);
}

/** Whether a meta-process is meant. */
export function isMeta(typed: string): boolean {
  return metaOf(typed) !== undefined;
}

/** The same for what only actors have. @throws {MetanodeError} usage.invalid */
export function onlyActor(typed: string, what: string): string {
  if (!isMeta(typed)) return typed;
  throw coreError("usage.invalid", `${typed} is a meta-process, which ${what}; expected an actor`);
}

function metaOf(typed: string): string | undefined {
  if (typed.startsWith(META)) return typed.slice(META.length);
  return typed.startsWith("Alias#<") ? typed : undefined;
}

/** What the API answers with about actors, as far as the command line reads it. */
export interface ActorView {
  readonly id: number;
  readonly pid: string;
  readonly name?: string;
  readonly behaviour: string;
  readonly state: string;
  readonly parentId: number;
  readonly leaderId: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly mailbox: Readonly<Record<"urgent" | "system" | "main" | "log", number>>;
  readonly mailboxLimit: number;
  readonly uptimeMs: number;
  readonly trapExit: boolean;
  readonly aliases: readonly string[];
  readonly metas: readonly string[];
  readonly events: readonly string[];
  readonly links: readonly string[];
  readonly monitors: readonly string[];
}

/** A meta-process. */
export interface MetaView {
  readonly id: number;
  readonly alias: string;
  readonly actorId: number;
  readonly behaviour: string;
  readonly state: string;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly mailbox: { readonly system: number; readonly main: number };
  readonly mailboxLimit: number;
  readonly priority: string;
  readonly uptimeMs: number;
}

/** An actor with what it spawned. */
export interface ActorNodeView {
  readonly id: number;
  readonly name?: string;
  readonly behaviour: string;
  readonly state: string;
  readonly waiting: number;
  readonly metas: readonly { readonly id: number; readonly behaviour: string }[];
  readonly children: readonly ActorNodeView[];
}

/** The kernel. */
export interface KernelView {
  readonly node: string;
  readonly state: string;
  readonly uptimeMs: number;
  readonly processes: number;
  readonly metas: number;
  readonly names: number;
  readonly aliases: number;
  readonly events: number;
  readonly roots: readonly {
    readonly name: string;
    readonly id?: number;
    readonly restarts: number;
    readonly lastReason?: string;
  }[];
}

/** An event. */
export interface EventView {
  readonly name: string;
  readonly producerId: number;
  readonly subscribers: number;
  readonly published: number;
  readonly delivered: number;
  readonly buffered: number;
}

/** An application. */
export interface ApplicationView {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly mode: string;
  readonly dependsOn: readonly string[];
  readonly uptimeMs: number;
  readonly processes: number;
}
