import { nearest } from "@metanode/core/internal/options";
import { programAction } from "../action/program-action.ts";
import { streamError } from "../errors.ts";
import { functionAction } from "../flow/function-action.ts";
import type { Graph, GraphIssue, GraphNode } from "../graph/form.ts";
import type { StageFunction } from "../stage/answer.ts";
import type { BuiltIn, Services } from "../stage/built-in.ts";
import type { Action } from "../stage/stage.ts";
import type { UploadStore } from "../upload/upload-store.ts";
import { uploadedAction } from "../upload/uploaded-action.ts";
import { hintedAction, placedAction } from "./placed-stage.ts";

/** Actions that are given in code: functions that work on records, and whole actions. */
export type GivenActions = Readonly<Record<string, StageFunction<never, unknown> | Action>>;

export interface CatalogueOptions {
  readonly functions?: GivenActions;
  readonly builtIns: readonly BuiltIn[];
  readonly services: Services;
  readonly uploads: UploadStore | undefined;
}

/** What graphs can be made of here. */
export interface ActionInfo {
  readonly name: string;
  readonly kind: "function" | "built-in" | "uploaded";
  readonly summary: string;
  /** Of an uploaded program. */
  readonly version?: number;
  readonly hash?: string;
  readonly bytes?: number;
  /** JSON Schema of its settings. */
  readonly schema?: Readonly<Record<string, unknown>>;
}

/** Finds what nodes run: a command, a function of the host, a built-in, an uploaded program, in this order. */
export class Catalogue {
  readonly #options: CatalogueOptions;
  readonly #builtIns: ReadonlyMap<string, BuiltIn>;

  constructor(options: CatalogueOptions) {
    this.#options = options;
    this.#builtIns = new Map(options.builtIns.map((one) => [one.name, one]));
  }

  list(): ActionInfo[] {
    const functions = Object.keys(this.#options.functions ?? {}).map((name) => ({
      name,
      kind: "function" as const,
      summary: "A function of the host.",
    }));
    const builtIns = this.#options.builtIns.map(({ name, summary, schema }) => ({
      name,
      kind: "built-in" as const,
      summary,
      schema,
    }));
    const uploaded = (this.#options.uploads?.list() ?? []).map(({ name, version, hash, bytes, uploadedAtMs }) => ({
      name,
      version,
      hash,
      bytes,
      kind: "uploaded" as const,
      summary: `Uploaded ${new Date(uploadedAtMs).toISOString()}.`,
    }));
    return [...functions, ...builtIns, ...uploaded].sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** Whether it is a function of the host or a built-in. */
  isGiven(name: string): boolean {
    return this.#builtIns.has(name) || Object.hasOwn(this.#options.functions ?? {}, name);
  }

  /** @throws {MetanodeError} stream.action_unknown, or what is wrong with the settings of the node */
  actionOf(node: GraphNode): Action {
    const local = this.localActionOf(node);
    const { services } = this.#options;
    return node.on === undefined ? hintedAction(node, local, services) : placedAction(node, local, services);
  }

  /** What a node runs, on this very node. @throws {MetanodeError} as {@link actionOf} */
  localActionOf(node: GraphNode): Action {
    if (node.command !== undefined) return programAction(node);
    const name = node.action ?? node.name;
    const { functions = {} } = this.#options;
    const given = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (given !== undefined) return typeof given === "function" ? functionAction(given) : given;
    const builtIn = this.#builtIns.get(name);
    if (builtIn !== undefined) return builtIn.make(node, this.#options.services);
    const { uploads } = this.#options;
    if (uploads?.find(name) !== undefined) return uploadedAction(node, uploads);
    throw this.#unknown(node.name, name);
  }

  /**
   * What every node of a graph runs.
   * @throws {MetanodeError} stream.graph – some nodes cannot run; `details.issues` lists every fault.
   */
  actionsOf(graph: Graph): Map<string, Action> {
    const { actions, issues } = this.check(graph);
    const [first] = issues;
    if (first === undefined) return actions;
    throw streamError("stream.graph", first.message, { details: { issues } });
  }

  /** The same, with every fault as data, and what planning should tell. */
  check(graph: Graph): { readonly actions: Map<string, Action>; readonly issues: GraphIssue[]; readonly warnings: string[] } {
    const actions = new Map<string, Action>();
    const issues: GraphIssue[] = [];
    const fed = new Set(graph.edges.map(([, to]) => to));
    for (const node of graph.nodes) {
      try {
        const action = this.actionOf(node);
        actions.set(node.name, action);
        issues.push(...misplaced(node, action, fed.has(node.name)));
      } catch (error) {
        issues.push({ kind: "bad-value", node: node.name, message: error instanceof Error ? error.message : String(error) });
      }
    }
    issues.push(...contradictions(graph, actions));
    const warnings = [...actions.values()].flatMap((action) => action.warnings ?? []);
    return { actions, issues, warnings };
  }

  #unknown(node: string, name: string): Error {
    const uploaded = this.#options.uploads?.list().map((one) => one.name) ?? [];
    const known = [...Object.keys(this.#options.functions ?? {}), ...this.#builtIns.keys(), ...uploaded];
    const near = nearest(name, known);
    const hint =
      near === undefined ? "give it a `command`, or name a function, a built-in or an uploaded action" : `did you mean ${near}?`;
    return streamError("stream.action_unknown", `${node}: there is no action ${name}; ${hint}`, {
      details: { action: name, ...(near === undefined ? {} : { suggestion: near }) },
    });
  }
}

function misplaced({ name }: GraphNode, action: Action, isFed: boolean): GraphIssue[] {
  if (isFed && action.stage === undefined) {
    return [{ kind: "bad-value", node: name, message: `${name} is fed, but its action takes no records` }];
  }
  if (!isFed && action.source === undefined) {
    return [{ kind: "bad-value", node: name, message: `${name} is fed by nobody, but its action gives no records by itself` }];
  }
  return [];
}

/** What each node can do, but not together. */
function contradictions(graph: Graph, actions: ReadonlyMap<string, Action>): GraphIssue[] {
  const keeping = graph.nodes.filter(({ name }) => actions.get(name)?.keepsState === true).map(({ name }) => name);
  if (keeping.length === 0) return [];
  const holding = graph.nodes.filter(({ name }) => actions.get(name)?.holdsEverything === true).map(({ name }) => name);
  const durable = graph.nodes.filter(({ buffer }) => buffer === "durable").map(({ name }) => name);
  return [
    ...holding.map((node) => ({
      kind: "bad-value" as const,
      node,
      message: `${node} keeps everything until the stream ends, so ${keeping.join(", ")} could never store a checkpoint`,
    })),
    ...durable.map((node) => ({
      kind: "bad-value" as const,
      node,
      message: `${node} is fed through the log, whose acknowledgements cannot be stored together with the state of ${keeping.join(", ")}; leave \`buffer\` out`,
    })),
  ];
}
