import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Action, GraphNode, NodeLogLine } from "../../src/index.ts";
import { compileGraph, connectors, functionAction, GraphRun, type GraphRunOptions, type Services } from "../../src/index.ts";

/** A node of a test graph: a built-in with its settings, or an action. */
export type TestNode = Omit<GraphNode, "name"> | { readonly does: Action };

export interface TestRunOptions extends Partial<Omit<GraphRunOptions, "graph" | "actions">> {
  readonly services?: Services;
}

/** Runs nodes in a row. */
export function runInARow(nodes: Readonly<Record<string, TestNode>>, options: TestRunOptions = {}): Promise<GraphRun> {
  const names = Object.keys(nodes);
  const { services = {}, ...more } = options;
  const actions = new Map<string, Action>();
  const given: GraphNode[] = [];
  for (const [name, node] of Object.entries(nodes)) {
    const settings: GraphNode = "does" in node ? { name } : { name, ...node };
    given.push(settings);
    actions.set(name, "does" in node ? node.does : actionOf(settings, services));
  }
  const { graph } = compileGraph({ name: "test", nodes: given, expression: names.join("; ") });
  return GraphRun.open({ folder: ".", ...more, graph, actions });
}

/** What a built-in makes of its settings. */
export function actionOf(node: GraphNode, services: Services = {}): Action {
  const builtIn = connectors.find(({ name }) => name === node.action);
  if (builtIn === undefined) throw new Error(`no built-in ${node.action}`);
  return builtIn.make(node, services);
}

/** Keeps what it gets, and tells when there is enough of it. */
export class Keeper {
  readonly records: unknown[] = [];
  readonly ids: string[] = [];
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  readonly node: TestNode = {
    does: functionAction((record: unknown, { id }) => {
      this.records.push(record);
      this.ids.push(id);
      for (const { count, resolve } of this.#waiting) if (this.records.length >= count) resolve();
    }),
  };

  /** Resolves when there are at least so many. */
  has(count: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.records.length >= count) resolve();
      else this.#waiting.push({ count, resolve });
    });
  }
}

/** What nodes have logged, and a promise of the first line that says something. */
export class Lines {
  readonly lines: NodeLogLine[] = [];
  readonly #waiting: { readonly pattern: RegExp; readonly resolve: (match: RegExpExecArray) => void }[] = [];

  readonly onLog = (line: NodeLogLine): void => {
    this.lines.push(line);
    for (const { pattern, resolve } of this.#waiting) {
      const match = pattern.exec(line.text);
      if (match !== null) resolve(match);
    }
  };

  says(pattern: RegExp): Promise<RegExpExecArray> {
    for (const { text } of this.lines) {
      const match = pattern.exec(text);
      if (match !== null) return Promise.resolve(match);
    }
    return new Promise((resolve) => this.#waiting.push({ pattern, resolve }));
  }
}

/** A folder that goes with the test. */
export async function testFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "metanode-connector-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Lets everything that needs no time happen. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
