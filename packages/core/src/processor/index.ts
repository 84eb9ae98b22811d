/**
 * What the author of a processor writes against.
 *
 * ```ts
 * import { defineProcessor, serve } from "@metanode/core/processor";
 *
 * export const greeter = defineProcessor({
 *   name: "greeter",
 *   types: { "greet.person": { handle: (person: { name: string }) => `Hello, ${person.name}` } },
 * });
 *
 * if (import.meta.main) await serve(greeter);
 * ```
 */

export { MetanodeError } from "../errors.ts";
export {
  defineProcessor,
  type HandlerContext,
  type JsonSchema,
  type PayloadsOf,
  type ProcessorDefinition,
  type ProcessorOptions,
  type TypeDefinition,
} from "./author.ts";
export { PROCESSOR_ENVIRONMENT, serve } from "./serve.ts";
