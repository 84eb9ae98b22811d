import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { GraphDocument } from "@metanode/streaming";
import { parse } from "yaml";

/** The graph of numbers.yaml, with its programs where they lie, and other arguments where they are given. */
export function numbersGraph(change: Readonly<Record<string, string>> = {}): GraphDocument {
  const document = parse(readFileSync(new URL("../numbers.yaml", import.meta.url), "utf8")) as GraphDocument;
  const nodes = (document.nodes ?? []).map((node) => {
    const [, file = "", ...args] = String(node.command).split(" ");
    const given = change[node.name];
    const program = fileURLToPath(new URL(`../${file}`, import.meta.url));
    return { ...node, command: [process.execPath, program, ...(given === undefined ? args : given.split(" "))] };
  });
  return { ...document, nodes };
}
