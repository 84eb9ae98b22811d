import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Gateway } from "@metanode/gateway";
import { type GraphDocument, streamError } from "@metanode/streaming";
import type { Inspection } from "./inspect.ts";

/** How often a licence is named, the most frequent first. */
export interface LicenceCount {
  readonly licence: string;
  readonly packages: number;
}

/** Longest wait for the programs, in milliseconds. */
const LIMIT_MS = 20_000;

/**
 * What every shell knows, as a graph: `cut | sort | uniq -c | sort -rn` over a file of what was inspected. The programs run
 * once over everything (`settle: end`), joined by pipes; the graph completes when the last of them is through.
 */
export function licencesGraph(folder: string): GraphDocument {
  const all = { settle: "end", env: { LC_ALL: "C" } } as const;
  return {
    name: "licences",
    expression: "inspected; licence; sort; count; rank; report",
    nodes: [
      { name: "inspected", action: "file.read", with: { path: join(folder, "inspected.tsv") } },
      { name: "licence", command: ["cut", "-f", "2"], ...all },
      { name: "sort", command: "sort", ...all },
      { name: "count", command: "uniq -c", ...all },
      { name: "rank", command: "sort -k1,1rn -k2", ...all },
      { name: "report", action: "file.write", with: { path: join(folder, "licences.txt") } },
    ],
  };
}

/** Has the node count licences with Unix programs; the report stays in the data folder. @throws {MetanodeError} stream.* */
export async function countLicences(gateway: Gateway, inspections: readonly Inspection[], data: string): Promise<LicenceCount[]> {
  const folder = resolve(data, "report");
  mkdirSync(folder, { recursive: true });
  const rows = inspections.map(({ name, license }) => `${oneWord(name)}\t${oneWord(license.expression ?? license.kind)}\n`);
  writeFileSync(join(folder, "inspected.tsv"), rows.join(""));
  rmSync(join(folder, "licences.txt"), { force: true });
  const streams = await gateway.streams.streams();
  await streams.apply(licencesGraph(folder));
  await streams.run("licences", { fromStart: true });
  const startedMs = performance.now();
  while (streams.get("licences").state === "running" && performance.now() - startedMs < LIMIT_MS) {
    await new Promise((done) => setTimeout(done, 5));
  }
  const { state, reason } = streams.get("licences");
  if (state !== "completed") {
    await streams.stop("licences", { now: true });
    throw streamError("stream.stopped", `the graph of the licences is ${state}: ${reason ?? "its programs take too long"}`);
  }
  return readReport(readFileSync(join(folder, "licences.txt"), "utf8"));
}

function readReport(text: string): LicenceCount[] {
  return [...text.matchAll(/^\s*(\d+) (.*)$/gm)].map(([, count, licence = ""]) => ({ licence, packages: Number(count) }));
}

/** In a file of columns, a tab or a line end is none of the content's. */
function oneWord(text: string): string {
  return text.replace(/\s+/g, " ").trim() || "none";
}
