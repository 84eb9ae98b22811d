import type { Api, HttpContext } from "../context.ts";
import { forAllRoutes } from "./for-all.ts";
import { membershipRoutes } from "./membership.ts";
import { viewRoutes } from "./views.ts";

/** The nodes below this one: what there is, who belongs to it, messages for all of them, maintenance. */
export function treeRoutes(api: Api, context: HttpContext): void {
  viewRoutes(api, context);
  membershipRoutes(api, context);
  forAllRoutes(api, context);
}
