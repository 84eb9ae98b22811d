import { coreError } from "@metanode/core/errors";
import { paths } from "../api/paths.ts";
import type { AdoptedView, ReleasedView, StandbyView } from "../api/tree.ts";
import type { Invocation } from "../invocation.ts";

/** What the node gets to answer, beyond what it may wait for itself. */
const MARGIN_MS = 60_000;
const DEFAULT_DRAIN_MS = 10_000;

/** `metanode adopt` */
export async function adopt(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const as = invocation.text("as");
  const under = invocation.text("under");
  const body = {
    token: invocation.arg(0),
    ...(as === undefined ? {} : { as }),
    ...(under === undefined ? {} : { under }),
    ...(invocation.has("force") ? { force: true } : {}),
  };
  const client = await invocation.client();
  const view = await client.json<AdoptedView>({ method: "POST", path: paths.treeAction("adopt"), body, timeoutMs: MARGIN_MS });
  await output.show(view, () => `${view.path} is managed, in epoch ${view.epoch}`);
}

/** `metanode release` */
export async function release(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const drainMs = invocation.number("drain");
  const force = invocation.has("force");
  const body = { node: invocation.arg(0), ...(drainMs === undefined ? {} : { drainMs }), ...(force ? { force } : {}) };
  const client = await invocation.client();
  const timeoutMs = (drainMs ?? DEFAULT_DRAIN_MS) + MARGIN_MS;
  const view = await client.json<ReleasedView>({ method: "POST", path: paths.treeAction("release"), body, timeoutMs });
  const rest = view.unfinished === 0 ? "" : `; ${view.unfinished} calls were not answered`;
  await output.show(view, () => `${view.name} goes on alone${rest}`);
}

/** `metanode move` */
export async function move(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const [node, to] = [invocation.arg(0), invocation.arg(1)];
  const client = await invocation.client();
  const view = await client.json<ReleasedView>({
    method: "POST",
    path: paths.treeAction("move"),
    body: { node, to },
    timeoutMs: MARGIN_MS,
  });
  await output.show(view, () => `${view.name} lives at ${to}/${view.name} now`);
}

/** `metanode standby` */
export async function standby(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const node = invocation.optionalArg(0);
  const under = invocation.text("under");
  const place = under === undefined ? {} : { under };
  const client = await invocation.client();
  const path = paths.treeAction("standby");
  const handOver = invocation.has("handOver");
  if (handOver && node !== undefined) throw coreError("usage.invalid", "name the child first, then hand over without it");
  const isOrder = node !== undefined || invocation.has("none") || handOver;
  const view = isOrder
    ? await client.json<StandbyView>({
        method: "POST",
        path,
        body: { ...(node ? { node } : {}), ...place, ...(handOver ? { handOver } : {}) },
        timeoutMs: MARGIN_MS,
      })
    : await client.json<StandbyView>({ method: "GET", path, query: place });
  await output.show(view, () => textOf(view));
}

function textOf({ name, isReady, isFenced, manager }: StandbyView): string {
  const role = manager === undefined ? "" : `${manager.isTaken ? "has taken the place of" : "stands by for"} ${manager.name}; `;
  if (name === undefined) return `${role}nobody stands by for it`;
  // A standby that has given the place back goes on to want one itself, which it gets when it is a manager again.
  if (manager?.isTaken === false && !isReady) return `stands by for ${manager.name}`;
  if (isFenced) return `${role}${name} has taken its place`;
  return `${role}${name} stands by for it${isReady ? "" : ", and is not ready"}`;
}

/** `metanode label` */
export async function label(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const set: Record<string, string> = {};
  const remove: string[] = [];
  for (const word of invocation.words(1)) {
    const at = word.indexOf("=");
    if (at > 0) set[word.slice(0, at)] = word.slice(at + 1);
    else if (at < 0 && word.length > 1 && word.endsWith("-")) remove.push(word.slice(0, -1));
    else throw coreError("usage.invalid", `${JSON.stringify(word)} is no label, expected name=value, or name- to take it away`);
  }
  const client = await invocation.client();
  const body = { node: invocation.arg(0), set, remove };
  const labels = await client.json<Record<string, string>>({ method: "POST", path: paths.treeAction("labels"), body });
  await output.show(labels, () =>
    Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .join("\n"),
  );
}
