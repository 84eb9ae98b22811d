/** A simulator of whole trees, published as `@metanode/core/testing/tree`. */
export { type Simulation, type SimulationOptions, simulateTree } from "./simulate.ts";
