import type { Views } from "./api.ts";

/** One thing that happened on the node, as its journal tells it. */
export type Step = Views["Step"];
