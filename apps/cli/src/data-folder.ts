import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { coreError } from "@metanode/core/errors";

/** Where the node of a data folder is reached, and its process; each absent where the folder does not say. */
export interface RunningNode {
  readonly url?: string;
  readonly pid?: number;
}

/** What the running node has left in its data folder. */
export function runningNodeOf(folder: string): RunningNode {
  try {
    const { url, pid } = JSON.parse(readFileSync(join(folder, "gateway.json"), "utf8")) as { url?: unknown; pid?: unknown };
    return { ...(typeof url === "string" ? { url } : {}), ...(Number.isInteger(pid) ? { pid: pid as number } : {}) };
  } catch {
    return {}; // none, or half-written by a node that is just starting: as good as none
  }
}

/** Whether some process holds the data folder. Looking does not take it. @throws {MetanodeError} config.invalid – its lock is unreadable */
export async function isHeld(folder: string): Promise<boolean> {
  const file = join(folder, "lock");
  if (!existsSync(file)) return false;
  const { DatabaseSync } = await import("node:sqlite");
  try {
    const database = new DatabaseSync(file, { readOnly: true, timeout: 0 });
    try {
      database.prepare("SELECT count(*) FROM sqlite_schema").get();
    } finally {
      database.close();
    }
  } catch (cause) {
    const { message } = cause as Error;
    if (/locked|busy/i.test(message)) return true;
    throw coreError("config.invalid", `${file}: ${message}`, { cause });
  }
  return false;
}
