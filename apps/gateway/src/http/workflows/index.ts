import type { Api, HttpContext } from "../context.ts";
import { declarationRoutes } from "./declarations.ts";
import { instanceRoutes } from "./instances.ts";
import { metaRoutes } from "./metas.ts";
import { relationRoutes } from "./relations.ts";
import { statsRoute } from "./stats.ts";
import { taskRoutes } from "./tasks.ts";

/** Workflows: what is declared, what is stored, and the work between. On a node without workflows they all say so. */
export function workflowRoutes(api: Api, context: HttpContext): void {
  metaRoutes(api, context);
  relationRoutes(api, context);
  declarationRoutes(api, context);
  instanceRoutes(api, context);
  taskRoutes(api, context);
  statsRoute(api, context);
}
