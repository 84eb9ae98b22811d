import type { Document, Pair } from "yaml";
import { SETTINGS, type Setting, settingOf } from "./settings.ts";
import type { ResolvedConfig, ValueSource } from "./types.ts";
import { yaml } from "./yaml.ts";

const HIDDEN = "(hidden)";

/**
 * A configuration as YAML, each value with its source as a comment. Secrets, and the environment of processors (where
 * secrets are handed on), are hidden.
 */
export function printConfig({ values, sources, file }: ResolvedConfig): string {
  const document = new (yaml().Document)({});
  document.commentBefore = file === undefined ? " no configuration file" : ` configuration file: ${file}`;
  for (const setting of SETTINGS) {
    const { path } = setting;
    const source = sources.get(path) ?? { kind: "default" };
    const value = settingOf(values, path);
    document.setIn(path.split("."), document.createNode(shownOf(setting, value), { flow: isNumbers(value) }));
    note(document, path, ` ${source.kind}${moreOf(setting, source, value)}`);
  }
  return document.toString({ lineWidth: 0 });
}

function shownOf({ isSecret }: Setting, value: unknown): unknown {
  return isSecret && value !== undefined ? HIDDEN : presentable(value ?? null);
}

/** Where a value came from, or what a default is that cannot be written down. */
function moreOf({ defaultText }: Setting, { kind, from }: ValueSource, value: unknown): string {
  if (kind === "default") return value === undefined && defaultText !== undefined ? `, ${defaultText}` : "";
  return from === undefined || kind === "option" ? "" : ` ${from}`;
}

function isNumbers(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === "number");
}

/** Puts the source beside a value of one line, else above its key. */
function note(document: Document, path: string, comment: string): void {
  const { isScalar, YAMLMap } = yaml();
  const keys = path.split(".");
  const key = keys.pop() ?? path;
  const map = keys.length === 0 ? document.contents : document.getIn(keys);
  const pair = map instanceof YAMLMap ? (map.items as Pair[]).find((one) => String(one.key) === key) : undefined;
  if (pair === undefined) return;
  const value = pair.value as { comment?: string; flow?: boolean } | null;
  if (value !== null && (isScalar(value) || value.flow)) value.comment = comment;
  else pair.key = Object.assign(document.createNode(key), { commentBefore: comment });
}

function presentable(value: unknown): unknown {
  if (!Array.isArray(value) || isNumbers(value)) return value;
  if (value.every((one) => typeof one === "string")) return value;
  return value.map((spec: { env?: object; definition?: unknown; actor?: unknown }) => ({
    ...spec,
    ...(spec.env === undefined ? {} : { env: Object.fromEntries(Object.keys(spec.env).map((name) => [name, HIDDEN])) }),
    ...(spec.definition === undefined ? {} : { definition: "(in this process)" }),
    ...(spec.actor === undefined ? {} : { actor: "(in this process)" }),
  }));
}
