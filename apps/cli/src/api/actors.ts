import type { AnswerOf, components } from "@metanode/client";
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

type Views = components["schemas"];

export type ActorView = Views["Actor"];
export type MetaView = Views["ActorMeta"];
/** An actor with what it spawned. */
export type ActorNodeView = Views["ActorNode"];
export type KernelView = AnswerOf<"getActorKernel">;
export type EventView = AnswerOf<"listActorEvents">["items"][number];
export type ApplicationView = Views["ActorApplication"];
