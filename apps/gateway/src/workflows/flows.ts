import { pathToFileURL } from "node:url";
import { coreError, type MetanodeError } from "@metanode/core";
import type { JoinedFlows } from "@metanode/nature/internal";

/** The flows that files export under any name, as one. @throws {MetanodeError} config.invalid; meta.exists, relation.exists – two of them disagree */
export async function loadFlows(files: readonly string[]): Promise<JoinedFlows> {
  const { joinFlows } = await import("@metanode/nature/internal");
  const flows: JoinedFlows[] = [];
  for (const file of files) flows.push(...(await flowsOf(file)));
  return joinFlows(...flows);
}

async function flowsOf(file: string): Promise<JoinedFlows[]> {
  let exported: Record<string, unknown>;
  try {
    exported = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (cause) {
    throw invalid(`the file of flows ${file} cannot be loaded: ${(cause as Error).message}`, cause);
  }
  // One that stands under two names is one.
  const flows = [...new Set(Object.values(exported))].filter(isFlow);
  if (flows.length > 0) return flows;
  throw invalid(`the file ${file} exports no flow; export what \`defineFlow({ … })\` gives`);
}

function isFlow(value: unknown): value is JoinedFlows {
  if (typeof value !== "object" || value === null) return false;
  const { metas, relations, executors } = value as { [K in keyof JoinedFlows]?: unknown };
  return Array.isArray(metas) && Array.isArray(relations) && typeof executors === "object" && executors !== null;
}

function invalid(message: string, cause?: unknown): MetanodeError {
  return coreError("config.invalid", message, { details: { path: "nature.flows" }, ...(cause === undefined ? {} : { cause }) });
}
