import type { InstanceView, LocatorView, RelationView, WorkflowMetaView } from "../api/workflows.ts";
import type { Output } from "./output.ts";
import { renderFields } from "./table.ts";

/** Metas, one line each. */
export function metaTable(output: Output, items: readonly WorkflowMetaView[]): string {
  return output.table(
    items,
    [
      { title: "META", value: (row) => row.meta },
      { title: "STATES", value: (row) => row.states },
      { title: "SETTINGS", value: (row) => compact(row.settings) },
      { title: "STATUS", value: statusOf, paint: (text, row) => paintStatus(output, text, row) },
      { title: "DESCRIPTION", value: (row) => row.description },
    ],
    "no metas; `metanode meta apply` declares a file of them",
  );
}

/** One meta. */
export function metaDetails(view: WorkflowMetaView): string {
  const { usedBy, fields } = view;
  const needs = usedBy === undefined ? [] : [...usedBy.relations, ...usedBy.metas];
  const text = renderFields([
    ["meta", view.meta],
    ["description", view.description],
    ["states", view.states],
    ["settings", compact(view.settings)],
    ["status", statusOf(view)],
    ...(usedBy === undefined
      ? []
      : ([
          ["needed by", needs.join(", ") || undefined],
          ["instances", usedBy.instances ? "yes" : "none"],
        ] as const)),
  ]);
  return fields === undefined ? text : `${text}\n\nfields\n${JSON.stringify(fields, null, 2)}`;
}

/** Relations, one line each. */
export function relationTable(output: Output, items: readonly RelationView[]): string {
  return output.table(
    items,
    [
      { title: "FROM", value: (row) => row.from },
      { title: "TO", value: (row) => row.to },
      { title: "EXECUTOR", value: executorOf },
      { title: "STATUS", value: statusOf, paint: (text, row) => paintStatus(output, text, row) },
      { title: "SETTINGS", value: ({ settings: { executor: _shown, ...rest } }) => compact(rest) },
    ],
    "no relations",
  );
}

/** One relation. */
export function relationDetails(view: RelationView): string {
  const fields = renderFields([
    ["from", view.from],
    ["to", view.to],
    ["executor", executorOf(view)],
    ["status", statusOf(view)],
  ]);
  return `${fields}\n\nsettings\n${JSON.stringify(view.settings, null, 2)}`;
}

/** Instances, one line each. */
export function instanceTable(output: Output, items: readonly InstanceView[]): string {
  return output.table(
    items,
    [
      { title: "KEY", value: (row) => row.key },
      { title: "STATES", value: (row) => row.states.join(",") || undefined },
      { title: "CREATED", value: (row) => row.createdAt },
      { title: "FROM", value: (row) => keyOf(row.from) },
      { title: "CONTENT", value: (row) => row.content || undefined },
    ],
    "no instances",
  );
}

/** One instance with what it says. */
export function instanceDetails(view: InstanceView): string {
  const fields = renderFields([
    ["key", view.key],
    ["states", view.states.join(", ") || undefined],
    ["created", view.createdAt],
    ["from", keyOf(view.from)],
    ["context", compact(view.context)],
    ["system context", compact(view.sysContext)],
  ]);
  return view.content === "" ? fields : `${fields}\n\ncontent\n${view.content}`;
}

/** `meta|id|para|version` */
export function keyOf(locator: LocatorView | undefined): string | undefined {
  if (locator === undefined) return undefined;
  const { meta, id, para, version } = locator;
  return `${meta}|${id}|${para}|${version}`;
}

function executorOf({ settings: { executor } }: RelationView): string {
  return executor === undefined ? "auto" : `${executor.protocol} ${executor.url}`.trim();
}

type Declared = { readonly enabled: boolean; readonly problem?: string };

function statusOf({ enabled, problem }: Declared): string {
  if (problem !== undefined) return `wrong: ${problem}`;
  return enabled ? "enabled" : "disabled";
}

function paintStatus(output: Output, text: string, { enabled, problem }: Declared): string {
  return output.paint(problem !== undefined ? "red" : enabled ? "green" : "dim", text);
}

function compact(value: object | undefined): string | undefined {
  return value === undefined || Object.keys(value).length === 0 ? undefined : JSON.stringify(value);
}
