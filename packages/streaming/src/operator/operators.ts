import type { BuiltIn } from "../stage/built-in.ts";
import { stateful } from "./stateful.ts";
import { stateless } from "./stateless.ts";
import { windows } from "./window-settings.ts";

/** The operators that come with the platform. */
export const operators: readonly BuiltIn[] = [...stateless, ...stateful, ...windows];
