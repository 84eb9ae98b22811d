import { resolve } from "node:path";
import { coreError, hasCode, type ProcessorSpec } from "@metanode/core";
import type { PoolInfo } from "@metanode/core/internal";
import { z } from "zod";
import type { Api, HttpContext } from "./context.ts";
import { answer, nothing, problems } from "./responses.ts";

const ProcessView = z.object({
  id: z.string(),
  state: z.enum(["starting", "ready", "backoff", "quarantined", "draining", "stopped"]),
  pid: z.int().optional(),
  inFlight: z.int(),
  restarts: z.int(),
  startedAt: z.string().optional(),
  memoryBytes: z.int().optional(),
  runtime: z.string().optional(),
  lastError: z.string().optional(),
});

const ProcessorView = z
  .object({
    name: z.string(),
    state: z.enum(["ready", "busy", "draining", "maintenance", "down"]),
    command: z.array(z.string()).describe("Program and arguments; empty in in-process mode."),
    types: z.array(
      z.object({ type: z.string(), version: z.string(), streaming: z.boolean(), ordered: z.boolean(), description: z.string() }),
    ),
    queued: z.int().describe("Messages that wait because every process is busy."),
    inFlight: z.int(),
    processes: z.array(ProcessView),
  })
  .meta({ id: "Processor", description: "A pool of processes that handles some message types" });

// Core checks the values, with the path and a suggestion for a misspelt key; here they are described, and nothing is taken away.
const SpecFields = {
  command: z.array(z.string()).optional().describe("Program and arguments, started without a shell. Either this or `file`."),
  file: z
    .string()
    .optional()
    .describe("A TypeScript or JavaScript file, run by the node's own runtime; relative to the node's working directory."),
  cwd: z.string().optional(),
  env: z.record(z.string(), z.string()).optional(),
  processes: z.int().optional(),
  maxQueued: z.int().optional(),
  maxMemoryBytes: z.int().optional(),
  startTimeoutMs: z.int().optional(),
  drainTimeoutMs: z.int().optional(),
  stopTimeoutMs: z.int().optional(),
  restart: z.record(z.string(), z.int()).optional().describe("backoffMs, maxBackoffMs, stableMs, quarantineAfter, quarantineMs"),
  health: z.record(z.string(), z.int()).optional().describe("intervalMs, timeoutMs, cancelGraceMs, memoryIntervalMs"),
};
const NewSpec = z
  .looseObject({ name: z.string(), ...SpecFields })
  .meta({ id: "ProcessorSpec", description: "How a processor is started and kept" });
const ReplacingSpec = z.looseObject({ name: z.string().optional(), ...SpecFields });
const Name = z.object({ name: z.string() });

/** The processors of the node: what runs, and changes to it. Changes last until the node stops; what lasts longer stands in its configuration. */
export function processorRoutes(api: Api, context: HttpContext): void {
  readRoutes(api, context);
  changeRoutes(api, context);
  actionRoutes(api, context);
}

function readRoutes(api: Api, { processors }: HttpContext): void {
  const list = z.object({ items: z.array(ProcessorView) });
  const listSchema = {
    operationId: "listProcessors",
    summary: "Every processor of the node",
    tags: ["processors"],
    response: { 200: answer("By name", list), ...problems() },
  };
  api.get("/processors", { schema: listSchema }, async () => ({ items: processors.host.list().map(viewOf) }));
  const getSchema = {
    operationId: "getProcessor",
    summary: "One processor",
    tags: ["processors"],
    params: Name,
    response: { 200: answer("The processor", ProcessorView), ...problems("resource.not_found") },
  };
  // A process that was started anew may be of another specification.
  const config = {
    tagged: ({ name, command, types, processes }: z.infer<typeof ProcessorView>) => [
      name,
      command,
      types,
      processes.map(({ id, startedAt }) => [id, startedAt]),
    ],
  };
  api.get("/processors/:name", { schema: getSchema, config }, async ({ params }) => viewOf(processors.host.info(params.name)));
}

function changeRoutes(api: Api, { processors }: HttpContext): void {
  const tags = ["processors"];
  const addSchema = {
    operationId: "addProcessor",
    summary: "Add a processor; answers when its processes are ready, and leaves nothing behind if they do not come up",
    tags,
    body: NewSpec,
    response: {
      201: answer("The processor", ProcessorView),
      ...problems("config.invalid", "usage.invalid", "message.invalid", "state.conflict", "processor.start"),
    },
  };
  api.post("/processors", { schema: addSchema }, async ({ body }, reply) => {
    const { host } = processors;
    const spec = placed(body as ProcessorSpec);
    try {
      await host.add(spec);
    } catch (error) {
      // Core keeps on trying to start it, which is right for a configured one; whoever asked over HTTP has the answer.
      if (hasCode(error, "processor.start")) await host.remove(spec.name);
      throw error;
    }
    return reply
      .code(201)
      .header("location", `/api/v1/processors/${encodeURIComponent(spec.name)}`)
      .send(viewOf(host.info(spec.name)));
  });
  replaceRoute(api, processors);
  removeRoute(api, processors);
}

function replaceRoute(api: Api, processors: HttpContext["processors"]): void {
  const replaceSchema = {
    operationId: "replaceProcessor",
    summary:
      "Put a new version in the place of a running processor, without an error for any caller; if it does not come up, the old one stays",
    tags: ["processors"],
    params: Name,
    body: ReplacingSpec,
    response: {
      200: answer("The processor", ProcessorView),
      ...problems("config.invalid", "usage.invalid", "message.invalid", "resource.not_found", "processor.start"),
    },
  };
  api.put("/processors/:name", { schema: replaceSchema }, async ({ params, body }) => {
    const { name } = params;
    if (body.name !== undefined && body.name !== name) {
      throw coreError(
        "usage.invalid",
        `the body names processor ${body.name}, the address names ${name}; leave the name out of the body`,
        {
          details: { path: "/body/name" },
        },
      );
    }
    await processors.host.replace(placed({ ...body, name } as ProcessorSpec));
    return viewOf(processors.host.info(name));
  });
}

function removeRoute(api: Api, processors: HttpContext["processors"]): void {
  const removeSchema = {
    operationId: "removeProcessor",
    summary: "Take a processor out; answers when its calls are finished and its processes have ended",
    tags: ["processors"],
    params: Name,
    response: { 204: nothing("It is gone."), ...problems("resource.not_found") },
  };
  api.delete("/processors/:name", { schema: removeSchema }, async ({ params }, reply) => {
    await processors.host.remove(params.name);
    return reply.code(204).send();
  });
}

function actionRoutes(api: Api, { processors }: HttpContext): void {
  const tags = ["processors"];
  const restartSchema = {
    operationId: "restartProcessor",
    summary: "Restart each process in turn, its calls finished first; lifts a quarantine",
    tags,
    params: Name,
    response: { 200: answer("The processor", ProcessorView), ...problems("resource.not_found", "processor.start") },
  };
  api.post("/processors/:name/restart", { schema: restartSchema }, async ({ params }) => {
    await processors.host.restart(params.name);
    return viewOf(processors.host.info(params.name));
  });
  const scaleSchema = {
    operationId: "scaleProcessor",
    summary: "Bring a processor to a number of processes",
    tags,
    params: Name,
    body: z.strictObject({ processes: z.int().min(1).max(1_024) }),
    response: {
      200: answer("The processor", ProcessorView),
      ...problems("usage.invalid", "message.invalid", "resource.not_found", "processor.start"),
    },
  };
  api.post("/processors/:name/scale", { schema: scaleSchema }, async ({ params, body }) => {
    await processors.host.scale(params.name, body.processes);
    return viewOf(processors.host.info(params.name));
  });
}

function placed(spec: ProcessorSpec): ProcessorSpec {
  // Code cannot come over HTTP: what is called a definition there is only data.
  if (spec.definition !== undefined) {
    throw coreError("config.invalid", `processors.${spec.name}.definition cannot be given over HTTP; name a command or a file`, {
      details: { path: `processors.${spec.name}.definition` },
    });
  }
  return spec.file === undefined || spec.file === "" ? spec : { ...spec, file: resolve(spec.file) };
}

function viewOf(info: PoolInfo): z.infer<typeof ProcessorView> {
  return {
    ...info,
    command: [...info.command],
    types: [...info.types],
    processes: info.processes.map(({ startedAtMs, ...one }) => ({
      ...one,
      startedAt: startedAtMs === undefined ? undefined : new Date(startedAtMs).toISOString(),
    })),
  };
}
