import { spawn } from "node:child_process";
import { once } from "node:events";
import { asMetanodeError, coreError } from "@metanode/core/errors";
import type { ApiClient } from "../api/client.ts";
import { paths } from "../api/paths.ts";
import { orderNode, type TreeNodeView, type TreeView } from "../api/tree.ts";
import type { Invocation } from "../invocation.ts";
import { pause, uptimeMs } from "../time.ts";

const DEFAULT_WAIT_MS = 60_000;
const MARGIN_MS = 60_000;
const LOOK_MS = 100;

/** `metanode rollout` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const words = invocation.words(0);
  const client = await invocation.client();
  const query = { where: invocation.text("where"), under: invocation.text("under") };
  const view = await client.json<TreeView>({ path: paths.tree, query });
  // The deepest first, so that nobody is cut off by a manager that is being changed; the top node is not its own to stop.
  const nodes = view.nodes.filter(({ state }) => state === "managed").sort((a, b) => depthOf(b) - depthOf(a));
  if (nodes.length === 0) throw coreError("resource.not_found", "no managed node fits; `metanode tree` shows what there is");
  for (const [index, node] of nodes.entries()) {
    output.talk(`${index + 1} of ${nodes.length}: ${node.path}`);
    await one(invocation, client, { node, words });
    await output.item({ node: node.path, ok: true }, () => `${node.path}  done`);
  }
}

async function one(
  invocation: Invocation,
  client: ApiClient,
  { node, words }: { node: TreeNodeView; words: readonly string[] },
): Promise<void> {
  const waitMs = invocation.number("drain") ?? DEFAULT_WAIT_MS;
  const reason = invocation.text("reason") ?? words.join(" ");
  const maintain = (body: object): Promise<{ drained?: boolean }> =>
    client.json({
      method: "POST",
      path: paths.treeAction("maintenance"),
      body: { node: node.path, ...body },
      timeoutMs: waitMs + MARGIN_MS,
    });
  const { drained } = await maintain({ on: true, reason, waitMs });
  if (drained !== true)
    throw coreError("call.deadline", `${node.path} was not drained in time; it is in maintenance, and nothing was run`);
  const command = words.map((word) =>
    word.replaceAll("{path}", node.path).replaceAll("{name}", node.name).replaceAll("{id}", node.id),
  );
  const status = await runHere(command);
  if (status !== 0) {
    throw coreError(
      "processor.failed",
      `${command.join(" ")} ended with status ${status}; ${node.path} stays in maintenance, the rest is as it was`,
    );
  }
  await answers(client, node, invocation.number("ready") ?? DEFAULT_WAIT_MS);
  await maintain({ on: false });
}

async function runHere([program = "", ...args]: readonly string[]): Promise<number> {
  // What it says is talk: the data of this command is what became of each node.
  const child = spawn(program, args, { stdio: ["ignore", 2, 2] });
  const ended = once(child, "close") as Promise<[number | null]>;
  const failed = once(child, "error").then(([error]) => {
    throw coreError("config.invalid", `${program} does not start: ${(error as Error).message}`);
  });
  const [code] = await Promise.race([ended, failed]);
  return code ?? 1;
}

/** Waits until the node answers again, under its old path. */
async function answers(client: ApiClient, { path, id }: TreeNodeView, limitMs: number): Promise<void> {
  const startMs = uptimeMs();
  for (;;) {
    try {
      const found = await orderNode<{ id: string }>(client, { node: path, type: "metanode.node.ping", timeoutMs: 5_000 });
      if (found.id === id) return;
    } catch (error) {
      if (uptimeMs() - startMs > limitMs) {
        throw coreError(
          "node.unreachable",
          `${path} does not answer after its command: ${asMetanodeError(error).message}; the rest is as it was`,
        );
      }
    }
    await pause(LOOK_MS);
  }
}

function depthOf({ path }: TreeNodeView): number {
  return path.split("/").length;
}
