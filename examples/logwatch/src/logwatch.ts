import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { GraphDocument } from "@metanode/streaming";
import { parse } from "yaml";

/** The graph of logwatch.yaml over files in a folder. `follow: false` ends with the end of the log. */
export function logwatchGraph(folder: string, { follow = true }: { follow?: boolean } = {}): GraphDocument {
  const document = parse(readFileSync(new URL("../logwatch.yaml", import.meta.url), "utf8")) as GraphDocument;
  const nodes = (document.nodes ?? []).map((node) => {
    const path = node.with?.path;
    const isFile = node.name === "access" || node.name === "report";
    if (!isFile || typeof path !== "string") return node;
    return { ...node, with: { ...node.with, path: join(folder, path), ...(node.name === "access" ? { follow } : {}) } };
  });
  return { ...document, nodes };
}

/** One line of an access log. */
export interface Access {
  readonly at: string;
  readonly path: string;
  readonly status: number;
  readonly ms: number;
}

/** A visit that could have been: the `number`-th, a tenth of a second after the one before. */
export function access(number: number): Access {
  const startMs = Date.UTC(2026, 0, 1);
  return {
    at: new Date(startMs + number * 100 - (number % 7) * 150).toISOString(),
    path: ["/", "/tea", "/pot", "/cup"][number % 4] ?? "/",
    status: number % 11 === 0 ? 500 : number % 5 === 0 ? 404 : 200,
    ms: number % 97 === 0 ? 1_500 : number % 40,
  };
}
