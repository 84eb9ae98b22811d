import type { Instance } from "../instance/instance.ts";
import type { Condition, Selector } from "./relation.ts";

/** Whether a set of names meets a condition: none first, then all, then any. */
export function meets(condition: Condition | undefined, has: (name: string) => boolean): boolean {
  if (condition === undefined) return true;
  const { none = [], all = [], any = [] } = condition;
  if (none.some(has)) return false;
  if (!all.every(has)) return false;
  return any.length === 0 || any.some(has);
}

/** Whether a relation is for this instance. Only keys of contexts count. */
export function selects(selector: Selector | undefined, instance: Pick<Instance, "context" | "sysContext" | "states">): boolean {
  if (selector === undefined) return true;
  return (
    meets(selector.context, (name) => Object.hasOwn(instance.context, name)) &&
    meets(selector.sysContext, (name) => Object.hasOwn(instance.sysContext, name)) &&
    meets(selector.states, (name) => instance.states.includes(name))
  );
}
