import type { Log } from "@metanode/core";
import type { Router } from "@metanode/core/internal";
import { z } from "zod";
import { streamError } from "../errors.ts";
import type { GraphNode } from "../graph/form.ts";
import type { Action } from "./stage.ts";

/** What the surroundings of a graph offer to built-in actions. On its own a graph may have none of it. */
export interface Services {
  /** The log of the node: for sources, sinks and edges that outlive a process. */
  readonly log?: Log;
  /** The router of the node: for stages that are processors, actors, or the intake of a workflow. */
  readonly router?: Router;
}

/** An action that comes with the platform: a connector or an operator, named with a dot (`file.read`, `window.tumbling`). */
export interface BuiltIn {
  readonly name: string;
  /** One sentence, for lists. */
  readonly summary: string;
  /** JSON Schema of what a node says in `with`. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** @throws {MetanodeError} stream.graph – `with` is wrong; `details.issues` lists every fault. */
  make(node: GraphNode, services: Services): Action;
}

/** Declares a built-in action. What a node says in `with` is checked by `settings`, and comes typed. */
export function defineBuiltIn<Settings extends z.ZodObject>(spec: {
  readonly name: string;
  readonly summary: string;
  readonly settings: Settings;
  readonly make: (settings: z.infer<Settings>, node: GraphNode, services: Services) => Action;
}): BuiltIn {
  const strict = spec.settings.strict();
  return {
    name: spec.name,
    summary: spec.summary,
    get schema() {
      return z.toJSONSchema(strict, { io: "input", unrepresentable: "any" });
    },
    make: (node, services) => {
      const read = strict.safeParse(node.with ?? {});
      if (read.success) return spec.make(read.data as z.infer<Settings>, node, services);
      const issues = read.error.issues.map(({ path, message }) => {
        const where = ["with", ...path].join(".");
        return { kind: "bad-value" as const, node: node.name, path: where, message: `${where} (node ${node.name}): ${message}` };
      });
      const [first] = issues;
      throw streamError("stream.graph", first?.message ?? `the settings of node ${node.name} are wrong`, { details: { issues } });
    },
  };
}

/** The service, or an error that says what it would be needed for. */
export function needService<Name extends keyof Services>(
  services: Services,
  name: Name,
  node: GraphNode,
): NonNullable<Services[Name]> {
  const service = services[name];
  if (service !== undefined) return service as NonNullable<Services[Name]>;
  const what = `${node.name} needs the ${name} of a node`;
  throw streamError("stream.action_unknown", `${what}; run the graph on a meta node, or give \`services.${name}\``);
}
