import type { IncomingMessage, ServerResponse } from "node:http";
import type { ActorsModule } from "@metanode/actors/module";
import type { Clock, MetaNode, ProcessorsModule } from "@metanode/core";
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, RawServerDefault } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Access } from "../access/index.ts";
import type { NatureValues, StreamsValues } from "../config/types.ts";
import type { StreamsModule } from "../streams/module.ts";
import type { WorkflowsModule } from "../workflows/module.ts";

/** What routes work with. */
export interface HttpContext {
  readonly node: MetaNode;
  readonly processors: ProcessorsModule;
  readonly actors: ActorsModule;
  /** Absent where the node runs no workflows. */
  readonly nature?: WorkflowsModule | undefined;
  /** How workflows are reached the way Nature was. @default not at all */
  readonly natureFace?: Pick<NatureValues, "compat" | "compatToken">;
  readonly streams: StreamsModule;
  /** How graphs are reached the way GoStreaming was. @default not at all */
  readonly streamsFace?: Pick<StreamsValues, "compat" | "compatToken">;
  readonly clock: Clock;
  /** Who may do what, and who has done what. */
  readonly access: Access;
  /** Requests that each token may make in a second; 0 for any number. @default 0 */
  readonly rateLimit?: number;
  /** Aborted when the gateway begins to stop: whatever would wait for ever ends then. */
  readonly stopping: AbortSignal;
  /** Where this gateway can be reached; known once it listens. */
  readonly url: () => string;
}

/** A Fastify instance whose schemas are Zod's. */
export type Api = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodTypeProvider>;

/** Aborted when the client hangs up before it has its answer. */
export function withdrawalOf(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) controller.abort(new Error("the client hung up"));
  });
  return controller.signal;
}
