import { Document, isScalar, type Pair, YAMLMap } from "yaml";
import { SETTINGS, settingOf } from "./settings.ts";
import type { ResolvedConfig, ValueSource } from "./types.ts";

const HIDDEN = "(hidden)";

/**
 * A configuration as YAML, each value with its source as a comment. Secrets, and the environment of processors (where
 * secrets are handed on), are hidden.
 */
export function printConfig({ values, sources, file }: ResolvedConfig): string {
  const document = new Document({});
  document.commentBefore = file === undefined ? " no configuration file" : ` configuration file: ${file}`;
  for (const { path, isSecret } of SETTINGS) {
    const source = sources.get(path) ?? { kind: "default" };
    const value = settingOf(values, path);
    document.setIn(
      path.split("."),
      document.createNode(isSecret ? secretText(source) : presentable(value), { flow: isNumbers(value) }),
    );
    note(document, path, ` ${source.kind}${source.from === undefined || source.kind === "option" ? "" : ` ${source.from}`}`);
  }
  return document.toString({ lineWidth: 0 });
}

function secretText({ kind }: ValueSource): string {
  return kind === "default" ? "(made at the first start, kept in the data folder)" : HIDDEN;
}

function isNumbers(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === "number");
}

/** Puts the source beside a value of one line, else above its key. */
function note(document: Document, path: string, comment: string): void {
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
  return value.map((spec: { env?: object; definition?: unknown; actor?: unknown }) => ({
    ...spec,
    ...(spec.env === undefined ? {} : { env: Object.fromEntries(Object.keys(spec.env).map((name) => [name, HIDDEN])) }),
    ...(spec.definition === undefined ? {} : { definition: "(in this process)" }),
    ...(spec.actor === undefined ? {} : { actor: "(in this process)" }),
  }));
}
