import { coreError } from "@metanode/core";
import type { Workflows } from "../../workflows/module.ts";
import type { HttpContext } from "../context.ts";

/** The tag of these routes. */
export const tags = ["workflows"];

/** The workflows of the node. @throws {MetanodeError} resource.not_found – it runs none; node.closed */
export function workflowsOf({ nature }: HttpContext): Workflows {
  if (nature !== undefined) return nature.workflows;
  throw coreError(
    "resource.not_found",
    "this node runs no workflows; set nature.enabled (METANODE_NATURE_ENABLED), or `nature: {}`",
  );
}

/** What workflows are made of. Loaded by then: a node that runs workflows has it, and whoever runs none does not pay for it. */
export function library(): Promise<typeof import("@metanode/nature/internal")> {
  return import("@metanode/nature/internal");
}
