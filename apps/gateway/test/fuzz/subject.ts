import { fileURLToPath } from "node:url";
import { type Logger, pino } from "pino";
import type { GatewayOptions } from "../../src/index.ts";
import { JSON_BODY, type TestGateway, testGateway } from "../harness.ts";

const ACTORS = fileURLToPath(new URL("../fixtures/actors.ts", import.meta.url));

/** An operation of the OpenAPI document, as far as a fuzzer reads it. */
export interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Record<string, { readonly schema?: JsonSchema }> };
  readonly responses: Record<
    string,
    { readonly description: string; readonly content?: Record<string, { readonly schema?: JsonSchema }> }
  >;
}

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  schema: JsonSchema;
}

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface OpenApi {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, JsonSchema> };
}

/** Names that exist on the node, by the parameter of a path and the beginning of that path. */
const KNOWN: readonly (readonly [beginning: string, parameter: string, names: readonly string[]])[] = [
  // Nobody wants a thousand processes, nor one started again and again.
  ["/api/v1/processors/{name}/scale", "name", ["nobody"]],
  ["/api/v1/processors/{name}/restart", "name", ["nobody"]],
  ["/api/v1/processors", "name", ["worker"]],
  ["/api/v1/actors/applications", "name", ["metanode", "shop"]],
  ["/api/v1/actors/meta", "actor", ["tally"]],
  ["/api/v1/actors", "actor", ["tally"]],
  ["/api/v1/graphs", "name", ["demo"]],
  ["/api/v1/graphs", "stage", ["take", "-"]],
  ["/api/v1/graphs", "edge", ["ticks..take"]],
  ["/api/v1/actions", "name", ["generate", "demo-action"]],
  ["/api/v1/metas", "meta", ["B:fuzz/a:1", "B:fuzz/b:1"]],
  ["/api/v1/relations", "from", ["B:fuzz/a:1"]],
  ["/api/v1/relations", "to", ["B:fuzz/b:1"]],
  ["/api/v1/instances", "key", ["B:fuzz/a:1|7||0", "B:fuzz/b:1|7||0", "B:fuzz/a:1|7|"]],
  ["/api/v1/errors", "code", ["core.internal"]],
  ["/api/v1/tokens", "name", ["ann"]],
];

/** What a node says of its defects, one JSON line each. */
export function errorsTo(file: string): Logger {
  return pino({ level: "error" }, pino.destination({ dest: file, sync: true }));
}

/** A gateway with something of everything, so that what is drawn at random meets more than absence. */
export async function fuzzedGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const subject = await testGateway({
    nature: { enabled: true },
    actors: [
      { name: "tally", file: ACTORS, export: "Tally", args: [1], handles: { "tally.add": "send", "tally.get": "call" } },
      { name: "top", file: ACTORS, export: "Top" },
    ],
    ...options,
  });
  const send = async (method: string, path: string, body: object): Promise<void> => {
    const response = await subject.request(path, { method, headers: JSON_BODY, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  };
  await send("PUT", `/metas/${encodeURIComponent("B:fuzz/a:1")}`, {});
  await send("PUT", `/metas/${encodeURIComponent("B:fuzz/b:1")}`, { states: "new|paid" });
  await send("PUT", `/relations/${encodeURIComponent("B:fuzz/a:1")}/${encodeURIComponent("B:fuzz/b:1")}`, {
    settings: { useUpstreamId: true, target: { addStates: ["new"] } },
  });
  await send("POST", "/instances", { meta: "B:fuzz/a:1", id: "7", content: "{}" });
  await send("PUT", "/graphs/demo", {
    expression: "ticks; take",
    nodes: [
      { name: "ticks", action: "generate", with: { intervalMs: 50 } },
      { name: "take", command: [process.execPath, "-e", "process.stdin.resume()"], settle: "exit" },
    ],
  });
  await send("POST", "/tokens", { name: "ann", role: "viewer" });
  return subject;
}

/** The document of a node; parameters of paths are drawn from names that exist as well. */
export async function documentOf(subject: TestGateway): Promise<OpenApi> {
  const document = (await subject.json("/openapi.json")) as OpenApi;
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const { parameters = [] } of Object.values(methods)) {
      for (const parameter of parameters) {
        const known = KNOWN.find(([beginning, name]) => path.startsWith(beginning) && name === parameter.name);
        if (parameter.in === "path" && known !== undefined) parameter.schema = { anyOf: [{ enum: known[2] }, parameter.schema] };
      }
    }
  }
  return document;
}

/** Whether all that an operation answers is a stream of events, which has no end. */
export function isEndless({ responses }: Operation): boolean {
  const types = Object.keys(responses["200"]?.content ?? {});
  return types.length === 1 && types[0] === "text/event-stream";
}
