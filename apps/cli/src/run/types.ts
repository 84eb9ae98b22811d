import { coreError } from "@metanode/core/errors";
import { paths } from "../api/paths.ts";
import type { Items, TypeView } from "../api/views.ts";
import type { Invocation } from "../invocation.ts";
import { nearestOf } from "../nearest.ts";
import { renderFields } from "../output/table.ts";

/** `metanode types` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const { items } = await client.json<Items<TypeView>>({ path: paths.types });
  const wanted = invocation.optionalArg(0);
  if (wanted !== undefined) {
    const found = items.filter(({ type }) => type === wanted);
    if (found.length === 0) throw await unknownType(wanted, items);
    await output.show({ items: found }, () => found.map(describe).join("\n\n"));
    return;
  }
  await output.show({ items }, () =>
    output.table(
      items,
      [
        { title: "TYPE", value: (row) => row.type },
        { title: "VERSION", value: (row) => row.version },
        { title: "BY", value: (row) => row.member },
        { title: "TRAITS", value: traitsOf },
        { title: "DATA", value: (row) => schemaLine(row.inputSchema) },
        { title: "DESCRIPTION", value: (row) => row.description || undefined },
      ],
      "the node handles no types; `metanode processor add` gives it some",
    ),
  );
}

function traitsOf({ streaming, ordered }: TypeView): string | undefined {
  return [streaming && "streamed", ordered && "ordered"].filter(Boolean).join(", ") || undefined;
}

/** The properties of an object schema, the required ones first: `sku: string, amount?: integer`. */
function schemaLine(schema: unknown): string {
  if (typeof schema !== "object" || schema === null) return "any";
  const {
    type,
    properties,
    required = [],
  } = schema as { type?: unknown; properties?: Record<string, { type?: unknown }>; required?: readonly string[] };
  if (properties === undefined) return kindOf(type);
  const names = Object.keys(properties).sort((a, b) => Number(required.includes(b)) - Number(required.includes(a)));
  return (
    names.map((name) => `${name}${required.includes(name) ? "" : "?"}: ${kindOf(properties[name]?.type)}`).join(", ") || "object"
  );
}

function kindOf(type: unknown): string {
  if (typeof type === "string") return type;
  return Array.isArray(type) ? type.join("|") : "any";
}

function describe(view: TypeView): string {
  const fields = renderFields([
    ["type", view.type],
    ["version", view.version],
    ["by", view.member],
    ["traits", traitsOf(view)],
    ["description", view.description || undefined],
  ]);
  const schemas = [["input", view.inputSchema] as const, ["output", view.outputSchema] as const]
    .filter(([, schema]) => schema !== undefined)
    .map(([name, schema]) => `${name} schema\n${JSON.stringify(schema, null, 2)}`);
  return [fields, ...schemas].join("\n");
}

async function unknownType(wanted: string, items: readonly TypeView[]): Promise<Error> {
  const near = await nearestOf(
    wanted,
    items.map(({ type }) => type),
  );
  const hint = near === undefined ? "`metanode types` lists what it handles" : `did you mean ${near}?`;
  return coreError("message.unknown_type", `nobody on this node handles messages of type ${wanted}; ${hint}`, {
    details: { type: wanted },
  });
}
