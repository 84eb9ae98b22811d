/** A node without a face of its own, for a host or a pod. */
export { type Agent, type AgentOptions, openAgent } from "./agent.ts";
export { type AgentConfig, readConfig } from "./config.ts";
