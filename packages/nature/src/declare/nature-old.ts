import { refuse } from "../shape.ts";
import type { Notes } from "./nature-note.ts";

type Json = Record<string, unknown>;

/**
 * Relation settings with the spellings of older versions and of stale documents brought up to date, as far as it is certain what they
 * mean; each is told. Today's spelling wins where both stand.
 * @source spec of the workflow model, §3.1
 */
export function modernized(given: Readonly<Json>, notes: Notes): Json {
  const settings = structuredClone(given) as Json;
  const move = (from: Json, name: string, path: string): unknown => {
    const value = from[name];
    delete from[name];
    if (value !== undefined)
      notes.add("changed", path === "" ? name : `${path}.${name}`, "is an old spelling, taken for today's");
    return value;
  };
  for (const [old, name] of [
    ["filter_before", "convert_before"],
    ["filter_after", "convert_after"],
  ] as const) {
    if (old in settings) settings[name] ??= move(settings, old, "");
  }
  addStates(settings, move(settings, "target_states", ""));
  if (isJson(settings.target) && "states" in settings.target) addStates(settings, move(settings.target, "states", "target"));
  if (isJson(settings.selector)) {
    const { selector } = settings;
    if ("source_state_include" in selector) selector.state_all ??= move(selector, "source_state_include", "selector");
    for (const name of ["last_none", "last_all", "last_any"]) {
      if (name in selector) down(settings)[name] ??= move(selector, name, "selector");
    }
  }
  if (Array.isArray(settings.executor)) {
    if (settings.executor.length > 1) refuse("executor", given.executor, "one executor");
    const [first] = move(settings, "executor", "") as unknown[];
    if (first !== undefined) settings.executor = first;
  }
  return settings;
}

/** `{"add": […], "remove": […]}`, or a list of what is added. */
function addStates(settings: Json, given: unknown): void {
  if (given === undefined) return;
  if (!isJson(given) && !Array.isArray(given)) refuse("target_states", given, 'a list, or {"add":[…],"remove":[…]}');
  const { add, remove } = Array.isArray(given) ? { add: given } : (given as Json);
  const target = isJson(settings.target) ? settings.target : {};
  settings.target = target;
  if (add !== undefined) target.state_add ??= add;
  if (remove !== undefined) target.state_remove ??= remove;
}

function down(settings: Json): Json {
  if (!isJson(settings.down_selector)) settings.down_selector = {};
  return settings.down_selector as Json;
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
