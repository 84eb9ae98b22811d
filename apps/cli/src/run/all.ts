import { paths } from "../api/paths.ts";
import { items } from "../api/tree.ts";
import { parseJson, readInput } from "../data.ts";
import { Exit, PARTIAL } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import type { Output } from "../output/output.ts";

interface Outcome {
  readonly path: string;
  readonly status: string;
  readonly value?: unknown;
  readonly code?: string;
  readonly message?: string;
}

type Event =
  | { readonly kind: "target"; readonly path: string }
  | ({ readonly kind: "outcome" } & Outcome)
  | {
      readonly kind: "done";
      readonly operation: string;
      readonly verdict: boolean;
      readonly policy: string;
      readonly tally: Readonly<Record<string, number>>;
      readonly outcomes: readonly Outcome[];
      readonly targets?: readonly { readonly path: string }[];
      readonly value?: unknown;
    };
type Done = Extract<Event, { kind: "done" }>;

/** `metanode all` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const { body } = await client.request({
    method: "POST",
    path: paths.treeAction("all"),
    headers: { accept: "text/event-stream" },
    body: await requestOf(invocation),
    timeoutMs: 0,
  });
  let [targets, ended] = [0, 0];
  let done: Done | undefined;
  for await (const event of items<Event>(body)) {
    if (event.kind === "done") done = event;
    else if (event.kind === "target") targets++;
    else {
      ended++;
      output.endProgress();
      await output.item(event, () => outcomeLine(output, event));
    }
    output.progress(`${ended} of ${targets}`);
  }
  output.endProgress();
  if (done === undefined) return;
  await showEnd(output, done);
  if (!done.verdict) throw new Exit(PARTIAL);
}

async function requestOf(invocation: Invocation): Promise<object> {
  const given = invocation.optionalArg(1);
  const data = given === undefined ? undefined : parseJson(await readInput(given), "the payload");
  const policy = invocation.text("policy");
  const options = {
    where: invocation.text("where"),
    policy: policy !== undefined && /^\d+$/.test(policy) ? Number(policy) : policy,
    timeoutMs: invocation.number("timeout"),
    batch: invocation.number("batch"),
    parallel: invocation.number("parallel"),
    canary: invocation.number("canary"),
    maxFailures: invocation.number("maxFailures"),
    reduce: invocation.text("reduce"),
    depth: invocation.number("depth"),
    operation: invocation.text("operation"),
    under: invocation.text("under"),
    includeMaintenance: invocation.has("includeMaintenance") || undefined,
    skipSelf: invocation.has("skipSelf") || undefined,
    dryRun: invocation.has("dryRun") || undefined,
    data,
  };
  return { type: invocation.arg(0), ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) };
}

function outcomeLine(output: Output, { path, status, value, code, message }: Outcome): string {
  if (status === "ok")
    return `${path}  ${output.paint("green", "ok")}  ${typeof value === "string" ? value : JSON.stringify(value ?? null)}`;
  return `${path}  ${output.paint(status === "skipped" ? "yellow" : "red", status)}  ${code ?? ""}: ${message ?? ""}`;
}

async function showEnd(output: Output, done: Done): Promise<void> {
  if (output.format !== "table") {
    await output.item(done);
    return;
  }
  if (done.targets !== undefined) for (const { path } of done.targets) output.line(path);
  if ("value" in done) output.line(JSON.stringify(done.value));
  for (const outcome of "value" in done ? done.outcomes : []) output.line(outcomeLine(output, outcome));
  const counts = Object.entries(done.tally).filter(([, count]) => count > 0);
  const text = counts.map(([status, count]) => `${count} ${status}`).join(", ") || `${done.targets?.length ?? 0} would be asked`;
  output.talk(`${text}; policy ${done.policy} is ${done.verdict ? "met" : "not met"}`);
}
