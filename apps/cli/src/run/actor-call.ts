import { actorPath } from "../api/actors.ts";
import { parseJson, readInput } from "../data.ts";
import type { Invocation } from "../invocation.ts";

const DEFAULT_TIMEOUT_MS = 5_000;
/** What the node gets, beyond the wait for the actor, to say that nothing came. */
const MARGIN_MS = 5_000;

/** `metanode actor call` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const request = parseJson(await readInput(invocation.arg(1)), "the request");
  const timeoutMs = invocation.number("timeout") ?? DEFAULT_TIMEOUT_MS;
  const client = await invocation.client();
  const { answer } = await client.json<{ answer?: unknown }>({
    method: "POST",
    path: actorPath(invocation.arg(0), "call"),
    body: { request, timeoutMs, priority: invocation.text("priority") },
    timeoutMs: timeoutMs + MARGIN_MS,
  });
  if (answer === undefined && output.format === "table") return;
  await output.show(answer ?? null, () => (typeof answer === "string" ? answer : JSON.stringify(answer, null, 2)));
}
