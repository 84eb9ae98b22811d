import { coreError } from "@metanode/core/errors";
import { paths } from "../api/paths.ts";
import type { InstanceView, Page, StoredView } from "../api/workflows.ts";
import { readInput } from "../data.ts";
import { Exit, PARTIAL } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import { instanceDetails, instanceTable } from "../output/workflows.ts";

/** What the node gets, beyond the wait, to answer. */
const MARGIN_MS = 10_000;

/** `metanode instance put` */
export async function put(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const waitFor = invocation.text("waitFor");
  const waitMs = invocation.number("wait") ?? (waitFor === undefined ? undefined : 30_000);
  const body = await inputOf(invocation);
  const client = await invocation.client();
  const view = await client.json<StoredView>({
    method: "POST",
    path: paths.instances,
    query: { waitFor },
    body,
    ...(waitMs === undefined ? {} : { headers: { prefer: `wait=${Math.ceil(waitMs / 1_000)}` }, timeoutMs: waitMs + MARGIN_MS }),
  });
  const reached = view.flow?.instance ?? view.instance;
  await output.show(view, () => instanceDetails(reached));
  const { flow } = view;
  if (output.format === "table")
    output.talk(view.isNew ? `${view.instance.key} is stored` : `${view.instance.key} was stored already`);
  if (flow?.status === "timeout")
    throw coreError("call.deadline", `what follows from ${view.instance.key} was not done in time; it goes on`);
  if (flow !== undefined && flow.failed > 0) {
    output.talk(`${flow.failed} of the tasks that follow were given up; \`metanode task failed\` shows them`);
    throw new Exit(PARTIAL);
  }
}

async function inputOf(invocation: Invocation): Promise<object> {
  const content = invocation.optionalArg(1);
  const states = invocation.text("state");
  const given = {
    meta: invocation.arg(0),
    content: content === undefined ? undefined : (await readInput(content)).toString("utf8"),
    id: invocation.text("id"),
    para: invocation.text("para"),
    version: invocation.number("stateVersion"),
    context: invocation.pairs("key"),
    sysContext: invocation.pairs("sysKey"),
    states: states?.split(",").map((one) => one.trim()),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** `metanode instance get` */
export async function get(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  const view = await client.json<InstanceView>({ path: paths.instance(invocation.arg(0)) });
  await invocation.output.show(view, () => instanceDetails(view));
}

/** `metanode instance ls` */
export async function list(invocation: Invocation): Promise<void> {
  const meta = invocation.optionalArg(0);
  const bounds = {
    keyGt: invocation.text("keyGt"),
    keyGe: invocation.text("keyGe"),
    keyLt: invocation.text("keyLt"),
    keyLe: invocation.text("keyLe"),
    createdGe: invocation.text("createdFrom"),
    createdLt: invocation.text("createdBefore"),
  };
  const isBounded = Object.values(bounds).some((bound) => bound !== undefined);
  await page(invocation, paths.instances, { meta, ...bounds, ...(meta === undefined || isBounded ? {} : { order: "recent" }) });
}

/** `metanode instance versions` */
export function versions(invocation: Invocation): Promise<void> {
  return page(invocation, paths.instance(invocation.arg(0), "versions"));
}

/** `metanode instance upstream` */
export function upstream(invocation: Invocation): Promise<void> {
  return page(invocation, paths.instance(invocation.arg(0), "upstream"));
}

/** `metanode instance downstream` */
export function downstream(invocation: Invocation): Promise<void> {
  return page(invocation, paths.instance(invocation.arg(0), "downstream"));
}

async function page(invocation: Invocation, path: string, query: Record<string, string | undefined> = {}): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const answer = await client.json<Page<InstanceView>>({
    path,
    query: { ...query, limit: invocation.number("limit"), cursor: invocation.text("cursor") },
  });
  await output.show(answer, () => instanceTable(output, answer.items));
  if (output.format === "table" && answer.next !== undefined) output.talk(`there are more: --cursor ${answer.next}`);
}
