import { protocolOf } from "../executor/nature-json.ts";
import type { MetaSettings } from "../meta/meta.ts";
import type { Condition, ExecutorSpec, Protocol, RelationSettings } from "../relation/relation.ts";
import { refuse } from "../shape.ts";
import { Members } from "./nature-members.ts";
import type { Notes } from "./nature-note.ts";
import { modernized } from "./nature-old.ts";

/*
 * Settings as Nature spells them, and back. What Nature cannot say (a part of a second, a time limit, how long instances are kept) is added in
 * members of our own, which it ignores: nothing is lost on the way there and back.
 * @source spec of the workflow model, §1.5 and §3.1
 */

type Json = Record<string, unknown>;

/** `config` of a meta. */
export function toNatureConfig(settings: MetaSettings): Json {
  return compact({
    name: settings.name,
    is_state: settings.isState,
    master: settings.master,
    multi_meta: settings.multiMeta,
    cache_saved: settings.cacheSaved,
    only_one: settings.onlyOne,
    retention_ms: settings.retentionMs,
  });
}

/** @throws config.invalid */
export function fromNatureConfig(given: unknown, notes: Notes): MetaSettings {
  const config = new Members(given, "config", notes);
  const settings = {
    name: config.text("name"),
    isState: config.flag("is_state"),
    master: config.text("master"),
    multiMeta: config.texts("multi_meta"),
    cacheSaved: config.flag("cache_saved"),
    onlyOne: config.flag("only_one"),
    retentionMs: config.whole("retention_ms"),
  };
  config.end();
  return compact(settings);
}

/** `settings` of a relation. */
export function toNatureSettings(settings: RelationSettings, notes: Notes): Json {
  const { selector, target } = settings;
  const spec = (given: ExecutorSpec | undefined, path: string): Json | undefined => given && toNatureExecutor(given, path, notes);
  return compact({
    description: settings.description,
    selector: compact({
      ...toNatureCondition("context", selector?.context),
      ...toNatureCondition("sys_context", selector?.sysContext),
      ...toNatureCondition("state", selector?.states),
    }),
    down_selector: toNatureCondition("last", settings.downSelector),
    executor: spec(settings.executor, "executor"),
    convert_before: settings.before?.map((one, at) => spec(one, `before[${at}]`)),
    convert_after: settings.after?.map((one, at) => spec(one, `after[${at}]`)),
    use_upstream_id: settings.useUpstreamId,
    target: compact({
      state_add: target?.addStates,
      state_remove: target?.removeStates,
      append_para: target?.appendPara,
      dynamic_para: target?.dynamicPara,
    }),
    ...toNatureDelays(settings, notes),
    id_bridge: settings.idBridge,
  });
}

/** @throws config.invalid, relation.invalid */
export function fromNatureSettings(given: Readonly<Json>, notes: Notes): RelationSettings {
  const settings = new Members(modernized(given, notes), "", notes);
  const [selector, down, target] = ["selector", "down_selector", "target"].map((name) => settings.object(name)) as [
    Members,
    Members,
    Members,
  ];
  const executors = (name: string): ExecutorSpec[] =>
    settings.list(name).map((one, at) => fromNatureExecutor(one, `${name}[${at}]`, notes));
  const executor = settings.any("executor") ?? undefined;
  const found = compact({
    description: settings.text("description"),
    selector: compact({
      context: fromNatureCondition("context", selector),
      sysContext: fromNatureCondition("sys_context", selector),
      states: fromNatureCondition("state", selector),
    }),
    downSelector: fromNatureCondition("last", down),
    executor: executor === undefined ? undefined : fromNatureExecutor(executor, "executor", notes),
    before: executors("convert_before"),
    after: executors("convert_after"),
    useUpstreamId: settings.flag("use_upstream_id"),
    target: compact({
      addStates: target.texts("state_add"),
      removeStates: target.texts("state_remove"),
      appendPara: target.list("append_para"),
      dynamicPara: target.text("dynamic_para"),
    }),
    ...fromNatureDelays(settings),
    idBridge: settings.flag("id_bridge"),
  });
  for (const members of [selector, down, target, settings]) members.end();
  return found as RelationSettings;
}

const SECOND_MS = 1_000;

function toNatureDelays({ delayMs = 0, delayOnPara }: RelationSettings, notes: Notes): Json {
  const delay = Math.ceil(delayMs / SECOND_MS);
  const exact = delay * SECOND_MS === delayMs;
  if (!exact) notes.add("changed", "delayMs", `${delayMs} ms are ${delay} s in Nature`);
  const json = { ...(delayMs === 0 ? {} : { delay }), ...(exact ? {} : { delay_ms: delayMs }) };
  if (delayOnPara === undefined) return json;
  const { extraMs, part } = delayOnPara;
  // With 0 seconds Nature does not look at the para at all.
  const extra = Math.max(1, Math.ceil(extraMs / SECOND_MS));
  if (extra * SECOND_MS === extraMs) return { ...json, delay_on_para: [extra, part] };
  notes.add("changed", "delayOnPara.extraMs", `${extraMs} ms are ${extra} s in Nature`);
  return { ...json, delay_on_para: [extra, part], delay_on_para_ms: [extraMs, part] };
}

function fromNatureDelays(settings: Members): Pick<RelationSettings, "delayMs" | "delayOnPara"> {
  const seconds = settings.whole("delay") ?? 0;
  const delayMs = settings.whole("delay_ms") ?? Math.max(0, seconds) * SECOND_MS;
  const [extra, part] = settings.pair("delay_on_para") ?? [0, 0];
  const [extraMs, exactPart] = settings.pair("delay_on_para_ms") ?? [extra * SECOND_MS, part];
  return { ...(delayMs > 0 ? { delayMs } : {}), ...(extra > 0 ? { delayOnPara: { extraMs, part: exactPart } } : {}) };
}

const SETS = ["none", "all", "any"] as const;

function toNatureCondition(prefix: string, condition: Condition | undefined): Json {
  return compact(Object.fromEntries(SETS.map((set) => [`${prefix}_${set}`, condition?.[set]])));
}

function fromNatureCondition(prefix: string, members: Members): Condition | undefined {
  const condition = compact(Object.fromEntries(SETS.map((set) => [set, members.texts(`${prefix}_${set}`)])));
  return Object.keys(condition).length === 0 ? undefined : condition;
}

const PROTOCOLS: readonly string[] = ["http", "https", "local", "builtin", "processor", "actor", "stream"];
const NATURE_NAMES: Partial<Record<Protocol, string>> = { http: "http", https: "https", local: "localRust", builtin: "builtIn" };

/** Built-ins by the names of older versions. */
const OLD_BUILT_INS: Readonly<Record<string, string>> = { dimensionSplit: "scatter", sum: "merge", timer: "time_range" };
/** Those that Nature has. */
const NATURE_BUILT_INS = ["scatter", "merge", "time_range", "instance-loader", "task-checker", "para_as_key"];

function toNatureExecutor({ protocol, url, settings, timeoutMs }: ExecutorSpec, path: string, notes: Notes): Json {
  const name = NATURE_NAMES[protocol];
  if (name === undefined)
    notes.add("lost", path, `Nature has no executors of protocol ${protocol}; it will not load this relation`);
  if (protocol === "https") notes.add("lost", path, "Nature names the protocol https, but does not speak it");
  if (protocol === "builtin" && !NATURE_BUILT_INS.includes(url)) notes.add("lost", path, `Nature has no built-in ${url}`);
  if (protocol === "local" && url.split(":").length !== 2) {
    notes.add("lost", path, `Nature looks for a local executor by library:function, not by ${JSON.stringify(url)}`);
  }
  if (timeoutMs !== undefined) notes.add("lost", `${path}.timeoutMs`, "Nature has no time limit for executors");
  return compact({ protocol: name ?? protocol, url, settings, timeout_ms: timeoutMs });
}

function fromNatureExecutor(given: unknown, path: string, notes: Notes): ExecutorSpec {
  const members = new Members(given, path, notes);
  const name = members.any("protocol");
  const protocol = protocolOf(name, members.path("protocol"));
  if (!PROTOCOLS.includes(protocol)) refuse(members.path("protocol"), name, "one of http, https, localRust, builtIn");
  const url = members.text("url") ?? "";
  const known = (protocol === "builtin" && OLD_BUILT_INS[url]) || url;
  if (known !== url) notes.add("changed", `${path}.url`, `the built-in ${url} is called ${known} today`);
  const spec = { protocol, url: known, settings: members.text("settings"), timeoutMs: members.whole("timeout_ms") };
  members.end();
  return compact(spec) as unknown as ExecutorSpec;
}

/** Without the members that say nothing: absent, false, and empty lists and objects. */
function compact(given: Json): Json {
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => {
      if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
      return value !== undefined && value !== false;
    }),
  );
}
