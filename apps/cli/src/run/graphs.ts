import { coreError } from "@metanode/core/errors";
import { parse } from "yaml";
import { type ApiClient, readEvents } from "../api/client.ts";
import type { ActionView, GraphView, StageLineView, StatusView, TappedView, VersionView } from "../api/graphs.ts";
import { paths } from "../api/paths.ts";
import type { Items } from "../api/views.ts";
import type { Page } from "../api/workflows.ts";
import { confirm } from "../confirm.ts";
import { readInput } from "../data.ts";
import type { Invocation } from "../invocation.ts";
import { actionTable, graphDetails, graphTable, historyTable, stageLine, statusText, tappedText } from "../output/graphs.ts";
import { showPage } from "../watch.ts";

/** Longer than a graph may take to drain. */
const STOP_SLACK_MS = 10_000;
const GRACE_MS = 30_000;

/** `metanode stream ls` */
export async function list(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  const query = { limit: invocation.number("limit"), cursor: invocation.text("cursor") };
  await showPage(invocation, {
    look: () => client.json<Page<GraphView>>({ path: paths.graphs, query }),
    text: ({ items }) => graphTable(invocation.output, items),
  });
}

/** `metanode stream get` */
export async function get(invocation: Invocation): Promise<void> {
  await showGraph(invocation, await ask<GraphView>(invocation, { path: paths.graph(invocation.arg(0)) }));
}

/** `metanode stream check` */
export async function check(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const document = await documentOf(invocation.arg(0));
  const found = await ask<{ issues: { message: string }[]; warnings: string[]; plan?: { startOrder: string[] } }>(invocation, {
    path: `${paths.graphs}/check`,
    method: "POST",
    body: document,
  });
  if (output.format === "table") for (const warning of found.warnings) output.talk(`warning: ${warning}`);
  const [first] = found.issues;
  if (first !== undefined && output.format === "table") for (const { message } of found.issues) output.talk(`error: ${message}`);
  await output.show(found, () => (first === undefined ? `sound: ${found.plan?.startOrder.join(", ")}` : ""));
  if (first !== undefined) throw coreError("usage.invalid", `the graph has ${found.issues.length} faults: ${first.message}`);
}

/** `metanode stream apply` */
export async function apply(invocation: Invocation): Promise<void> {
  const document = await documentOf(invocation.arg(0));
  const name = invocation.text("name") ?? document.name;
  if (typeof name !== "string") throw coreError("usage.invalid", "the document has no name; say --name");
  const client = await invocation.client();
  let view = await client.json<GraphView>({ path: paths.graph(name), method: "PUT", body: { ...document, name } });
  if (invocation.has("run")) view = await client.json<GraphView>({ path: paths.graph(name, "run"), method: "POST" });
  await showGraph(invocation, view);
}

/** `metanode stream run` */
export async function runGraph(invocation: Invocation): Promise<void> {
  const request = {
    path: paths.graph(invocation.arg(0), "run"),
    method: "POST",
    query: { fromStart: invocation.has("fromStart") },
  };
  await showGraph(invocation, await ask<GraphView>(invocation, request));
}

/** `metanode stream stop` */
export async function stop(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const graceMs = invocation.number("grace") ?? GRACE_MS;
  const answer = await ask<{ graph: GraphView; inFlight: number }>(invocation, {
    path: paths.graph(invocation.arg(0), "stop"),
    method: "POST",
    query: { now: invocation.has("now"), graceMs },
    timeoutMs: graceMs + STOP_SLACK_MS,
  });
  if (answer.inFlight > 0) output.talk(`${answer.inFlight} records were under way; they come again with the next run`);
  await output.show(answer, () => graphDetails(answer.graph));
}

/** `metanode stream pause` */
export async function pause(invocation: Invocation): Promise<void> {
  const request = { path: paths.graph(invocation.arg(0), "pause"), method: "POST" };
  await showGraph(invocation, await ask<GraphView>(invocation, request));
}

/** `metanode stream resume` */
export async function resume(invocation: Invocation): Promise<void> {
  const request = { path: paths.graph(invocation.arg(0), "resume"), method: "POST" };
  await showGraph(invocation, await ask<GraphView>(invocation, request));
}

/** `metanode stream status` */
export async function status(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const name = invocation.arg(0);
  const client = await invocation.client();
  if (!invocation.has("watch")) {
    const view = await client.json<StatusView>({ path: paths.graph(name, "status") });
    await output.show(view, () => statusText(output, view));
    return;
  }
  let before: StatusView | undefined;
  for await (const data of events(client, paths.graph(name, "live"), "status")) {
    const view = data as StatusView;
    await output.item(view, () => `${statusText(output, view, before)}\n`);
    before = view;
  }
}

/** `metanode stream history` */
export async function history(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const answer = await ask<Items<VersionView>>(invocation, { path: paths.graph(invocation.arg(0), "history") });
  await output.show(answer, () => historyTable(output, answer.items));
}

/** `metanode stream rollback` */
export async function rollback(invocation: Invocation): Promise<void> {
  const version = Number(invocation.arg(1));
  const request = { path: paths.graph(invocation.arg(0), "rollback"), method: "POST", body: { version } };
  await showGraph(invocation, await ask<GraphView>(invocation, request));
}

/** `metanode stream upgrade` */
export async function upgrade(invocation: Invocation): Promise<void> {
  const settings = await documentOf(invocation.arg(2));
  const path = paths.graphStage(invocation.arg(0), invocation.arg(1), "upgrade");
  await showGraph(
    invocation,
    await ask<GraphView>(invocation, { path, method: "POST", body: settings, timeoutMs: GRACE_MS + STOP_SLACK_MS }),
  );
}

/** `metanode stream rm` */
export async function remove(invocation: Invocation): Promise<void> {
  const name = invocation.arg(0);
  await confirm(invocation, `Forget graph ${name}, its history and how far it has come?`);
  await ask(invocation, { path: paths.graph(name), method: "DELETE", query: { force: invocation.has("force") } });
  invocation.output.talk(`${name} is gone`);
}

/** `metanode stream tap` */
export async function tap(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const [from, to] = [invocation.arg(1), invocation.arg(2)];
  const query = { limit: invocation.number("limit") };
  for await (const data of events(await invocation.client(), paths.graphTap(invocation.arg(0), from, to), "record", query)) {
    await output.item(data, () => tappedText(data as TappedView));
  }
}

/** `metanode stream logs` */
export async function logs(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const path = paths.graphStage(invocation.arg(0), invocation.optionalArg(1) ?? "-", "logs");
  const query = { tail: invocation.number("tail") };
  if (invocation.has("follow")) {
    for await (const data of events(client, path, "line", query)) {
      await output.item(data, () => stageLine(output, data as StageLineView));
    }
    return;
  }
  const answer = await client.json<Items<StageLineView>>({ path, query });
  if (output.format !== "table") await output.show(answer, () => "");
  else for (const line of answer.items) output.line(stageLine(output, line));
}

/** `metanode action ls` */
export async function actions(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const answer = await ask<Items<ActionView>>(invocation, { path: paths.actions });
  await output.show(answer, () => actionTable(output, answer.items));
}

async function ask<T>(invocation: Invocation, request: Parameters<ApiClient["json"]>[0]): Promise<T> {
  return (await invocation.client()).json<T>(request);
}

async function showGraph({ output }: Invocation, view: GraphView): Promise<void> {
  await output.show(view, () => graphDetails(view));
}

/** The data of the events of one name. */
async function* events(
  client: ApiClient,
  path: string,
  name: string,
  query: Readonly<Record<string, number | undefined>> = {},
): AsyncGenerator<unknown> {
  const { body } = await client.request({ path, query, headers: { accept: "text/event-stream" } });
  for await (const event of readEvents(body)) if (event.event === name) yield JSON.parse(event.data);
}

/** A graph or the settings of a stage out of a file: JSON or YAML, which is a superset of it. @throws {MetanodeError} usage.invalid */
export async function documentOf(argument: string): Promise<Record<string, unknown>> {
  const isText = argument === "-" || argument.startsWith("@") || argument.startsWith("{");
  const bytes = await readInput(isText ? argument : `@${argument}`);
  let document: unknown;
  try {
    document = parse(bytes.toString("utf8"));
  } catch (cause) {
    const [first = ""] = (cause as Error).message.split("\n");
    throw coreError("usage.invalid", `${argument} cannot be read: ${first}`, { cause });
  }
  if (typeof document === "object" && document !== null && !Array.isArray(document)) return document as Record<string, unknown>;
  throw coreError(
    "usage.invalid",
    `${argument} holds no object; expected a graph with \`expression\` or \`edges\`, and \`nodes\``,
  );
}
