import { once } from "node:events";
import { createServer, type ServerOptions } from "node:http2";
import type { AddressInfo } from "node:net";
import { importPeer } from "../contender.ts";
import { advance, type FlowWorld, STEPS } from "../flows.ts";
import type { RestatePorts } from "./restate.ts";

interface Context {
  run<T>(name: string, work: () => T): Promise<T>;
}
type Handler = (context: Context, input: string) => Promise<string>;
interface Restate {
  service(definition: { name: string; handlers: Record<string, Handler> }): object;
  createEndpointHandler(options: { services: object[]; logger: () => void }): NonNullable<Parameters<typeof createServer>[1]>;
}

/** A service of Restate, and its caller. */
export async function openRestateFlows(where: string): Promise<FlowWorld> {
  const { ingress, admin } = JSON.parse(where) as RestatePorts;
  const { service, createEndpointHandler } = await importPeer<Restate>("@restatedev/restate-sdk");
  const handlers = Object.fromEntries(Object.entries(STEPS).map(([name, count]) => [name, steps(count)]));
  const options = { services: [service({ name: "bench", handlers })], logger: () => undefined };
  const server = createServer({} satisfies ServerOptions, createEndpointHandler(options)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await post(`http://127.0.0.1:${admin}/deployments`, { uri: `http://127.0.0.1:${port}` });
  return {
    flow: (name, input) => post(`http://127.0.0.1:${ingress}/bench/${name}`, input),
    count: async (work) => {
      const query = `SELECT count(*) AS count FROM sys_invocation WHERE target_handler_name = '${work}' AND status = 'completed'`;
      const { rows } = JSON.parse(await post(`http://127.0.0.1:${admin}/query`, { query })) as { rows: [{ count: number }] };
      return rows[0].count;
    },
    close: async () => void server.close(),
  };
}

function steps(count: number): Handler {
  return async (context, input) => {
    let content = input;
    for (let step = 1; step <= count; step++) {
      const before = content;
      content = await context.run(`step${step}`, () => advance(before));
    }
    return content;
  };
}

async function post(url: string, body: unknown): Promise<string> {
  const headers = { "content-type": "application/json", accept: "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${text}`);
  return text;
}
