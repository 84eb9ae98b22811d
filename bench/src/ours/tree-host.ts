/** A process with many nodes of a tree: `node tree-host.ts`. */
import { createNode, type MetaNode } from "@metanode/core";
import { TREE, type Tree, treeModule } from "@metanode/core/tree";
import { pino } from "pino";
import { answerQuestions } from "../processes.ts";
import { residentKilobytes } from "../tree.ts";

const nodes = new Map<string, { readonly node: MetaNode; readonly tree: Tree }>();
const silent = pino({ level: "silent" });

interface Question {
  readonly verb: "make" | "adopt" | "all" | "ping" | "memory";
  readonly names?: readonly string[];
  readonly name?: string;
  readonly tokens?: readonly string[];
  readonly path?: string;
}

async function make(names: readonly string[]): Promise<string[]> {
  const tokens: string[] = [];
  for (const name of names) {
    const module = treeModule({ listen: "127.0.0.1:0" });
    const node = await createNode({ name, modules: [module], logger: silent });
    nodes.set(name, { node, tree: module.tree });
    tokens.push((await module.tree.token({ purpose: "adopt" })).text);
  }
  return tokens;
}

async function answer(question: object): Promise<unknown> {
  const { verb, names = [], name = "", tokens = [], path = "" } = question as Question;
  const one = nodes.get(name);
  switch (verb) {
    case "make":
      return make(names);
    case "adopt":
      for (const token of tokens) await one?.tree.adopt(token);
      return undefined;
    case "all":
      return (await one?.tree.all({ type: TREE.ping }).result())?.tally.ok;
    case "ping":
      return one?.node.call({ type: TREE.ping, extensions: { target: path } });
    default:
      return residentKilobytes();
  }
}

answerQuestions(answer, async () => {
  for (const { node } of nodes.values()) await node.close();
});
