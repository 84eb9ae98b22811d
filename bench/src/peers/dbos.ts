import { type Contender, importPeer, type Running } from "../contender.ts";
import { startFlows } from "../flow-process.ts";
import { startBenchPostgres } from "../postgres.ts";

/** DBOS on a PostgreSQL of its own. */
export const dbos: Contender = {
  name: "dbos",
  open: async (): Promise<Running> => {
    // Before a server is started for it in vain.
    await importPeer("@dbos-inc/dbos-sdk");
    const server = await startBenchPostgres();
    try {
      const { sampler, stop } = await startFlows("dbos", server.url);
      const flow3 = sampler("flow3");
      return {
        samplers: {
          "flow3.sqlite": flow3,
          "flow3.postgres": flow3,
          "flow3.stepwise": flow3,
          "flow3.million": flow3,
          "relay10.sqlite": sampler("relay10"),
        },
        note: "on a PostgreSQL like ours, 20 connections; a workflow with runStep per step",
        close: () => stop().then(() => server.stop()),
      };
    } catch (error) {
      await server.stop();
      throw error;
    }
  },
};
