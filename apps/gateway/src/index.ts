/**
 * A Metanode as one program: a node with every model it hosts, and its HTTP face.
 *
 * ```ts
 * await using gateway = await openGateway({ processors: [{ name: "greeter", file: "greeter.ts" }] });
 * console.log(gateway.url);
 * ```
 */

export { type GiveBackOptions, giveBackMemory } from "@metanode/core/internal/memory";
export type { ActorClass, ActorSpec } from "./actors.ts";
export { GATEWAY_FILE, type Gateway, type GatewayOptions, openGateway } from "./compose.ts";
export { printConfig } from "./config/print.ts";
export { SETTINGS, type Setting, variableOf } from "./config/settings.ts";
export type { ConfigValues, GatewayConfig, LogLevel, ResolvedConfig, ValueSource } from "./config/types.ts";
export { CONFIG_FILES, defineConfig, type LoadConfigOptions, loadConfig, resolveConfig } from "./config.ts";
export { PROBLEM_TYPE } from "./http/names.ts";
export type { Problem } from "./http/problem.ts";
export { TOKEN_FILE } from "./token.ts";
