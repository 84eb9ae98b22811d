import * as infra from "@metanode/infra";
import { orderNode } from "../api/tree.ts";
import { confirm } from "../confirm.ts";
import { Exit, INTERRUPTED } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import type { Output } from "../output/output.ts";

const DEFAULT_LINES = 100;

/** `metanode deploy apply` */
export async function apply(invocation: Invocation): Promise<void> {
  await change(invocation, await infra.readTopology(invocation.arg(0)), "Make these changes?");
}

/** `metanode deploy destroy` */
export async function destroy(invocation: Invocation): Promise<void> {
  const topology = infra.emptied(await infra.readTopology(invocation.arg(0)));
  await change(invocation, topology, "Destroy these nodes, with their data?");
}

/** `metanode deploy status` */
export async function status(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const topology = await infra.readTopology(invocation.arg(0));
  const items = await infra.status(topology, await optionsOf(invocation));
  await output.show({ items }, () =>
    output.table(
      items,
      [
        { title: "NODE", value: ({ node }) => node },
        { title: "GROUP", value: ({ group }) => group },
        { title: "PROVIDER", value: ({ provider }) => provider },
        { title: "RUNS", value: ({ runs }) => runs },
        { title: "STATE", value: ({ state }) => state },
        { title: "NEXT", value: ({ step }) => step },
        { title: "PLACE", value: ({ place }) => place },
      ],
      "no nodes",
    ),
  );
}

/** `metanode deploy logs` */
export async function logs(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const topology = await infra.readTopology(invocation.arg(0));
  const lines = await infra.logs(topology, invocation.arg(1), invocation.number("tail") ?? DEFAULT_LINES);
  if (output.format === "table") for (const line of lines) output.line(line);
  else await output.show({ lines }, () => "");
}

async function change(invocation: Invocation, topology: infra.Topology, question: string): Promise<void> {
  const { output } = invocation;
  const options = await optionsOf(invocation);
  const plan = await infra.plan(topology, options);
  if (invocation.has("dryRun") || plan.steps.length === 0) return output.show(plan, () => textOf(plan));
  if (!invocation.has("yes")) {
    output.talk(textOf(plan));
    await confirm(invocation, question);
  }
  const withdrawn = new AbortController();
  const onInterrupt = (): void => withdrawn.abort();
  process.once("SIGINT", onInterrupt);
  try {
    const done = await infra.apply(topology, {
      ...options,
      signal: withdrawn.signal,
      onStep: (step, ended) => told(output, step, ended),
    });
    await output.show(done, () => textOf(done));
  } catch (error) {
    if (withdrawn.signal.aborted) throw new Exit(INTERRUPTED);
    throw error;
  } finally {
    process.off("SIGINT", onInterrupt);
    output.endProgress();
  }
}

async function optionsOf(invocation: Invocation): Promise<infra.DeployOptions> {
  const client = await invocation.client();
  const numbers = {
    timeoutMs: invocation.number("timeout"),
    drainMs: invocation.number("drain"),
    parallel: invocation.number("parallel"),
  };
  const under = invocation.text("under");
  return {
    manager: {
      call: ({ type, data, extensions }, { timeoutMs } = {}) =>
        orderNode(client, {
          type,
          ...(data === undefined ? {} : { data }),
          ...(extensions?.target === undefined ? {} : { node: extensions.target }),
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
        }),
    },
    ...(under === undefined ? {} : { under }),
    force: invocation.has("force"),
    ...(Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined)) as Partial<infra.DeployOptions>),
  };
}

/** A line when a step has ended; while it lasts, where somebody watches. */
function told(output: Output, { action, node }: infra.Step, ended?: { readonly error?: Error }): void {
  if (ended === undefined) output.progress(`${action} ${node} …`);
  else output.endProgress();
  if (ended !== undefined)
    output.detail(ended.error === undefined ? `${action} ${node}: done` : `${action} ${node}: ${ended.error.message}`);
}

function textOf({ steps, unchanged }: infra.Plan): string {
  const lines = steps.map(
    ({ action, node, provider, reason }) => `${action} ${node}${provider === undefined ? "" : ` (${provider})`}: ${reason}`,
  );
  const rest = unchanged === 0 ? [] : [`${unchanged} unchanged`];
  return lines.length + rest.length === 0 ? "nothing to do" : [...lines, ...rest].join("\n");
}
