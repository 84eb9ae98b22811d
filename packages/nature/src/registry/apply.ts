import type { ChangePlan, PlannedChange } from "../declare/plan.ts";
import type { Edit } from "./edit.ts";
import type { EditResult, Registry } from "./registry.ts";

/**
 * Makes the changes of a plan, all or none. A plan that was made for a version is made on top of that one alone.
 * @throws state.conflict – the registry was edited since; and what {@link Registry.edit} throws
 */
export function applyChanges(registry: Registry, { version, changes }: ChangePlan): Promise<EditResult> {
  return registry.edit(changes.map(editOf), version === undefined ? {} : { expectedVersion: version });
}

function editOf(change: PlannedChange): Edit {
  const { action, kind, before, after } = change;
  if (kind === "meta") {
    if (after === undefined) return { op: "delete-meta", meta: change.name };
    return { op: action === "add" ? "create-meta" : "change-meta", meta: after };
  }
  if (after !== undefined) return { op: action === "add" ? "create-relation" : "change-relation", relation: after };
  const { from = "", to = "" } = before ?? {};
  return { op: "delete-relation", from, to };
}
