import { existsSync } from "node:fs";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { codeOf, coreError } from "@metanode/core/errors";
import type { Declarations, JoinedFlows, Note } from "@metanode/nature/declare";
import { readInput } from "./data.ts";
import { Exit, PARTIAL } from "./exit.ts";
import type { Output } from "./output/output.ts";
import { oneLine } from "./output/width.ts";

/** What a file declares, and what in it is not as it was. */
export interface ReadDeclarations {
  readonly declarations: Declarations;
  readonly notes: readonly Note[];
}

const CODE = new Set([".ts", ".mts", ".js", ".mjs"]);

/**
 * Reads a file of declarations: code that exports flows, our JSON, or Nature's rows as JSON or SQL.
 * @throws {MetanodeError} usage.invalid – it cannot be read; meta.syntax, config.invalid and others – it is wrong
 */
export async function readDeclarations(file: string): Promise<ReadDeclarations> {
  if (CODE.has(extname(file))) return { declarations: await load(file), notes: [] };
  const what = file === "-" ? "standard input" : file;
  const { FILE_FORMAT, fromFile, fromNatureRows, fromNatureSql } = await import("@metanode/nature/declare");
  const text = (await readInput(file === "-" ? file : `@${file}`)).toString("utf8").replace(/^\ufeff/, "");
  if (!/^\s*[[{]/.test(text)) {
    const sql = fromNatureSql(text);
    if (sql.rows.meta.length + sql.rows.relation.length === 0) {
      throw coreError(
        "usage.invalid",
        `${what} holds no declarations: expected JSON, or SQL that inserts rows of meta and relation`,
      );
    }
    const { declarations, notes } = fromNatureRows(sql.rows);
    return { declarations, notes: [...sql.notes, ...notes] };
  }
  const json = parse(text, what);
  if (typeof json === "object" && json !== null && ("format" in json || "metas" in json)) {
    return { declarations: fromFile(json), notes: [] };
  }
  if (typeof json === "object" && json !== null && ("meta" in json || "relation" in json)) return fromNatureRows(json);
  throw coreError(
    "usage.invalid",
    `${what} holds no declarations: expected JSON with "format": "${FILE_FORMAT}", or Nature's rows as {"meta":[…],"relation":[…]}`,
  );
}

/** Says what is not as it was. @throws {Exit} 8 – something is left out or has no effect */
export function tell(output: Output, notes: readonly Note[]): void {
  for (const { level, where, path, text } of notes) {
    output.talk(oneLine([level, [where, path].filter((part) => part !== "").join(" "), text].join("  ")));
  }
  if (notes.some(({ level }) => level !== "changed")) throw new Exit(PARTIAL);
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw coreError("usage.invalid", `${what} is no JSON: ${(cause as Error).message}`, { cause });
  }
}

/** All flows that a file of code exports, as one. */
async function load(file: string): Promise<Declarations> {
  const path = resolve(file);
  if (!existsSync(path)) throw coreError("usage.invalid", `the file ${file} cannot be read: there is none`);
  let exported: Record<string, unknown>;
  try {
    exported = await import(pathToFileURL(path).href);
  } catch (cause) {
    // What a flow itself says of its mistakes says it best.
    if (codeOf(cause) !== undefined) throw cause;
    throw coreError("usage.invalid", `the file ${file} cannot be loaded: ${(cause as Error).message}`, { cause });
  }
  const flows = Object.values(exported).filter(isDeclarations);
  if (flows.length === 0) {
    throw coreError("usage.invalid", `${file} exports no flow; export what defineFlow of @metanode/nature gives`);
  }
  const { joinFlows } = await import("@metanode/nature/declare");
  return joinFlows(...flows.map(({ metas, relations }): JoinedFlows => ({ metas, relations, executors: {} })));
}

function isDeclarations(value: unknown): value is Declarations {
  if (typeof value !== "object" || value === null) return false;
  const { metas, relations } = value as Partial<Declarations>;
  return Array.isArray(metas) && Array.isArray(relations);
}
