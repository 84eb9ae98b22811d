import type { Alias, Kernel, PID } from "@metanode/actors";
import { findMeta, findProcess, listMetas, listProcesses, processTree } from "@metanode/actors/module";
import { z } from "zod";
import { applicationRoutes } from "./actor-applications.ts";
import { ActorParam, commandRoutes } from "./actor-commands.ts";
import {
  ActorNodeView,
  ActorView,
  actorView,
  EventView,
  eventView,
  KernelView,
  kernelView,
  MetaView,
  metaView,
  nodeView,
  pageOf,
} from "./actor-views.ts";
import type { Api, HttpContext } from "./context.ts";
import { Cursor, numberIn } from "./cursor.ts";
import { answer, nothing, problems } from "./responses.ts";

const tags = ["actors"];
const Limit = z.coerce.number().int().min(1).max(1_000).default(100);
const Range = z.strictObject({ limit: Limit, cursor: Cursor });
const MetaRange = z.strictObject({ limit: Limit, cursor: Cursor, actor: ActorParam.shape.actor.optional() });
const TreeRange = z.strictObject({ limit: z.coerce.number().int().min(1).max(10_000).default(1_000) });

/** The actors of the node: what lives, what it tells, mail to it, and its end. */
export function actorRoutes(api: Api, context: HttpContext): void {
  kernelRoutes(api, context);
  applicationRoutes(api, context);
  metaRoutes(api, context);
  processRoutes(api, context);
  const kernel = (): Kernel => context.actors.kernel;
  commandRoutes(api, {
    path: "/actors/meta/:actor",
    noun: "ActorMeta",
    what: "a meta-process",
    unknown: "actor.meta_unknown",
    full: "actor.meta_mailbox_full",
    kernel,
    find: findMeta,
    exit: (one, alias, reason) => one.exitMeta(alias as Alias, reason),
  });
  commandRoutes(api, {
    path: "/actors/:actor",
    noun: "Actor",
    what: "an actor",
    unknown: "actor.process_unknown",
    full: "actor.mailbox_full",
    kernel,
    find: findProcess,
    exit: (one, pid, reason) => one.exit(pid as PID, reason),
  });
}

function kernelRoutes(api: Api, { actors }: HttpContext): void {
  const kernelSchema = {
    operationId: "getActorKernel",
    summary: "The actor kernel, and the configured actors",
    tags,
    response: { 200: answer("The kernel", KernelView), ...problems() },
  };
  api.get("/actors/kernel", { schema: kernelSchema }, async () =>
    kernelView(actors.kernel.info(), actors.kernel.metas(), actors.roots()),
  );
  const eventsSchema = {
    operationId: "listActorEvents",
    summary: "The events that actors have registered, with their counters",
    tags,
    response: { 200: answer("In the order of their registration", z.object({ items: z.array(EventView) })), ...problems() },
  };
  api.get("/actors/events", { schema: eventsSchema }, async () => ({ items: actors.kernel.info().events.map(eventView) }));
  const treeSchema = {
    operationId: "getActorTree",
    summary: "Actors below those that spawned them, with their meta-processes",
    tags,
    querystring: TreeRange,
    response: {
      200: answer(
        "Those that the kernel spawned, or whose parent has ended",
        z.object({
          roots: z.array(ActorNodeView),
          isCut: z.boolean().describe("There are more than `limit`; the oldest are shown."),
        }),
      ),
      ...problems("usage.invalid"),
    },
  };
  api.get("/actors/tree", { schema: treeSchema }, async ({ query }) => {
    const { roots, isCut } = processTree(actors.kernel, query.limit);
    return { roots: roots.map(nodeView), isCut };
  });
}

function processRoutes(api: Api, { actors }: HttpContext): void {
  const listSchema = {
    operationId: "listActors",
    summary: "Every actor of the node, oldest first",
    tags,
    querystring: Range,
    response: { 200: answer("One page", pageOf(ActorView)), ...problems("usage.invalid") },
  };
  api.get("/actors", { schema: listSchema }, async ({ query: { limit, cursor } }) => {
    const { items, nextAfter } = listProcesses(actors.kernel, { afterId: numberIn(cursor) ?? 0, limit });
    return { items: items.map(actorView), next: nextAfter?.toString() };
  });
  const getSchema = {
    operationId: "getActor",
    summary: "One actor with its counters and relations",
    tags,
    params: ActorParam,
    response: { 200: answer("The actor", ActorView), ...problems("actor.process_unknown") },
  };
  api.get("/actors/:actor", { schema: getSchema }, async ({ params }) =>
    actorView(actors.kernel.processInfo(findProcess(actors.kernel, params.actor))),
  );
  const killSchema = {
    operationId: "killActor",
    summary: "End an actor without asking it: at once, or when the message that it handles is finished",
    tags,
    params: ActorParam,
    response: { 204: nothing("It ends."), ...problems("actor.process_unknown") },
  };
  api.post("/actors/:actor/kill", { schema: killSchema }, async ({ params }, reply) => {
    actors.kernel.kill(findProcess(actors.kernel, params.actor));
    return reply.code(204).send();
  });
}

function metaRoutes(api: Api, { actors }: HttpContext): void {
  const listSchema = {
    operationId: "listActorMetas",
    summary: "Meta-processes, oldest first; with `actor` those of one actor",
    tags,
    querystring: MetaRange,
    response: { 200: answer("One page", pageOf(MetaView)), ...problems("usage.invalid", "actor.process_unknown") },
  };
  api.get("/actors/meta", { schema: listSchema }, async ({ query: { limit, cursor, actor } }) => {
    const parent = actor === undefined ? {} : { parent: findProcess(actors.kernel, actor) };
    const { items, nextAfter } = listMetas(actors.kernel, { afterId: numberIn(cursor) ?? 0, limit, ...parent });
    return { items: items.map(metaView), next: nextAfter?.toString() };
  });
  const getSchema = {
    operationId: "getActorMeta",
    summary: "One meta-process with its counters",
    tags,
    params: ActorParam,
    response: { 200: answer("The meta-process", MetaView), ...problems("actor.meta_unknown") },
  };
  api.get("/actors/meta/:actor", { schema: getSchema }, async ({ params }) =>
    metaView(actors.kernel.metaInfo(findMeta(actors.kernel, params.actor))),
  );
}
