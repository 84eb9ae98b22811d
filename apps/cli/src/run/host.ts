import { orderNode, streamNode } from "../api/tree.ts";
import type { Invocation } from "../invocation.ts";
import { renderFields } from "../output/table.ts";

/** `metanode host facts` */
export async function facts(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  const view = await orderNode<Record<string, unknown>>(client, { node: invocation.arg(0), type: "metanode.host.facts" });
  await invocation.output.show(view, () =>
    renderFields(
      Object.entries(view).map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : String(value)]),
    ),
  );
}

interface UnitView {
  readonly unit: string;
  readonly manager: string;
  readonly state: string;
  readonly pid?: number;
  readonly problem?: string;
}

/** `metanode host unit` */
export async function unit(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  const data = { action: invocation.arg(1), unit: invocation.arg(2) };
  const view = await orderNode<UnitView>(client, {
    node: invocation.arg(0),
    type: "metanode.host.unit",
    data,
    timeoutMs: 120_000,
  });
  const { unit: name, state, pid, problem } = view;
  await invocation.output.show(
    view,
    () => `${name} is ${state}${pid === undefined ? "" : ` (process ${pid})`}${problem ? `: ${problem}` : ""}`,
  );
}

/** `metanode host log` */
export async function log(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  const given = invocation.arg(1);
  const data = {
    ...(given.startsWith("unit:") ? { unit: given.slice(5) } : { path: given }),
    lines: invocation.number("tail") ?? 100,
    follow: invocation.has("follow"),
  };
  for await (const { lines } of streamNode<{ lines?: string[] }>(client, {
    node: invocation.arg(0),
    type: "metanode.host.log",
    data,
  })) {
    for (const line of lines ?? []) await invocation.output.item(line, () => line);
  }
}
