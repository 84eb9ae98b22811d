/** A process with many brokers of Moleculer: `node moleculer-host.ts <transporter as JSON>`. */
import { answerQuestions } from "../processes.ts";
import { residentKilobytes } from "../tree.ts";
import { type Broker, createBroker, type Transporter } from "./moleculer.ts";

const transporter = JSON.parse(process.argv[2] ?? "") as Transporter;
const brokers = new Map<string, Broker>();

interface Question {
  readonly verb: "make" | "all" | "ping" | "known" | "memory";
  readonly names?: readonly string[];
  readonly name?: string;
  readonly path?: string;
}

interface Nodes {
  readonly registry: { getNodeList(options: object): { readonly id: string; readonly available: boolean }[] };
  call(action: string, params: unknown, options: object): Promise<unknown>;
}

async function make(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const broker = await createBroker(name, transporter);
    broker.createService({ name: "node", actions: { ping: () => ({ id: name, pid: process.pid }) } });
    await broker.start();
    brokers.set(name, broker);
  }
}

async function answer(question: object): Promise<unknown> {
  const { verb, names = [], name = "", path = "" } = question as Question;
  const broker = brokers.get(name) as unknown as Nodes;
  switch (verb) {
    case "make":
      return make(names);
    case "known":
      return broker.registry.getNodeList({ onlyAvailable: true }).length;
    case "all": {
      const known = broker.registry.getNodeList({ onlyAvailable: true });
      const answers = await Promise.allSettled(known.map(({ id }) => broker.call("node.ping", {}, { nodeID: id })));
      return answers.filter(({ status }) => status === "fulfilled").length;
    }
    case "ping":
      return broker.call("node.ping", {}, { nodeID: path });
    default:
      return residentKilobytes();
  }
}

answerQuestions(answer, async () => {
  for (const broker of brokers.values()) await broker.stop();
});
