import pg from "pg";
import { importPeer } from "../contender.ts";
import { advance, type FlowName, type FlowWorld, STEPS } from "../flows.ts";

type Flow = (input: string) => Promise<string>;
interface Logger {
  info(text: unknown): void;
  debug(text: unknown): void;
  warn(text: unknown): void;
  error(text: unknown): void;
}
interface Dbos {
  readonly DBOS: {
    setConfig(config: { name: string; systemDatabaseUrl: string; systemDatabasePoolSize: number; logger: Logger }): void;
    registerWorkflow(flow: Flow, options: { name: string }): Flow;
    runStep<T>(work: () => Promise<T>, options: { name: string }): Promise<T>;
    launch(): Promise<void>;
    shutdown(): Promise<void>;
  };
}

/** Twice its default: with 10 it was slower, with 50 no faster. */
const CONNECTIONS = 20;

/** Workflows of DBOS in this process. */
export async function openDbosFlows(serverUrl: string): Promise<FlowWorld> {
  const { DBOS } = await importPeer<Dbos>("@dbos-inc/dbos-sdk");
  const url = new URL(serverUrl);
  url.pathname = "/dbos";
  const quiet = (): void => undefined;
  const logger = { info: quiet, debug: quiet, warn: console.error, error: console.error };
  DBOS.setConfig({ name: "bench", systemDatabaseUrl: url.href, systemDatabasePoolSize: CONNECTIONS, logger });
  const register = (name: FlowName): Flow => DBOS.registerWorkflow(steps(DBOS, STEPS[name]), { name });
  const flows: Record<FlowName, Flow> = { flow3: register("flow3"), relay10: register("relay10") };
  await DBOS.launch();
  return {
    flow: (name, input) => {
      // Not as a method: it would take what it is called on for a part of the workflow.
      const flow = flows[name];
      return flow(input);
    },
    count: async (work) => {
      const client = new pg.Client(url.href);
      await client.connect();
      const query = "SELECT count(*) AS count FROM dbos.workflow_status WHERE name = $1 AND status = 'SUCCESS'";
      const { rows } = await client.query<{ count: string }>(query, [work]);
      await client.end();
      return Number(rows[0]?.count);
    },
    close: () => DBOS.shutdown(),
  };
}

function steps(dbos: Dbos["DBOS"], count: number): Flow {
  return async (input) => {
    let content = input;
    for (let step = 1; step <= count; step++) {
      const before = content;
      content = await dbos.runStep(async () => advance(before), { name: `step${step}` });
    }
    return content;
  };
}
