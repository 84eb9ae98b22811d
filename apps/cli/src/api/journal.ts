import type { components } from "@metanode/client";
import { type ApiClient, readEvents } from "./client.ts";
import { paths } from "./paths.ts";

/** One thing that happened on the node. */
export type StepView = components["schemas"]["Step"];

/** Fewer than a node gives at once, so that what happens between two questions does not make it too many. */
const LOOK_BACK = 900;

/** No step has this sequence yet: a node that is to go on after it answers with where it is. */
export const AFTER_ALL = Number.MAX_SAFE_INTEGER;

/** The last steps that the node remembers, of these kinds or of all, the oldest first. */
export async function rememberedSteps(client: ApiClient, kinds: string | undefined): Promise<readonly StepView[]> {
  const wanted = kinds === undefined ? undefined : new Set(kinds.split(","));
  let last = await lastSequence(client, kinds);
  while (last > 0) {
    const steps = await stepsBetween(client, Math.max(0, last - LOOK_BACK), last);
    if (typeof steps !== "number") return steps.filter(({ kind }) => wanted?.has(kind) ?? true);
    last = steps;
  }
  return [];
}

async function lastSequence(client: ApiClient, kinds: string | undefined): Promise<number> {
  for await (const { event, data } of events(client, { kinds, since: AFTER_ALL })) {
    if (event === "resync") return fromOf(data);
  }
  return 0;
}

/** The steps, or where the node is now, which is too far from there. */
async function stepsBetween(client: ApiClient, since: number, last: number): Promise<StepView[] | number> {
  const steps: StepView[] = [];
  // Without kinds: the last one shows that all have come.
  for await (const { event, data } of events(client, { since })) {
    if (event === "resync") return fromOf(data);
    if (event !== "step") continue;
    const step = JSON.parse(data) as StepView;
    if (step.sequence <= last) steps.push(step);
    if (step.sequence >= last) break;
  }
  return steps;
}

async function* events(client: ApiClient, query: Readonly<Record<string, string | number | undefined>>) {
  const { body } = await client.request({ path: paths.events, query, headers: { accept: "text/event-stream" } });
  yield* readEvents(body);
}

function fromOf(data: string): number {
  return (JSON.parse(data) as { readonly from: number }).from;
}
