import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { coreError } from "../errors.ts";

/** A node's data folder, held for as long as the node lives. */
export interface DataFolder {
  readonly path: string;
  /** Made at the first start, and the same ever after. */
  readonly nodeId: string;
  /** Lets another node have the folder. Idempotent. */
  release(): void;
}

/**
 * Takes a data folder for this process alone, making it (mode 0700) if need be. The lock is the operating system's, so a
 * node that is killed leaves none behind.
 * @throws {MetanodeError} node.data_in_use – another node has it; config.invalid – it cannot be written.
 */
export function takeDataFolder(folder: string): DataFolder {
  const path = resolve(folder);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw coreError("config.invalid", `the data folder ${path} cannot be made: ${(cause as Error).message}`, {
      details: { path: "data" },
      cause,
    });
  }
  const release = lock(path);
  try {
    return { path, nodeId: readIdentity(path), release };
  } catch (error) {
    release();
    throw error;
  }
}

/** SQLite's exclusive mode is a file lock that every platform has and that ends with the process. */
function lock(path: string): () => void {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(path, "lock"), { timeout: 0 });
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS taken (pid INTEGER); COMMIT;");
  } catch (cause) {
    database?.close();
    const isBusy = /locked|busy/i.test((cause as Error).message);
    throw coreError(
      isBusy ? "node.data_in_use" : "config.invalid",
      isBusy
        ? `another node uses the data folder ${path}; stop it, or choose another folder`
        : `the data folder ${path} cannot be used: ${(cause as Error).message}`,
      { details: { folder: path }, cause },
    );
  }
  const held = database;
  return () => {
    if (held.isOpen) held.close();
  };
}

function readIdentity(path: string): string {
  const file = join(path, "node.json");
  try {
    const found = JSON.parse(readFileSync(file, "utf8")) as { nodeId?: unknown };
    if (typeof found.nodeId === "string" && found.nodeId !== "") return found.nodeId;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") {
      throw coreError(
        "config.invalid",
        `${file} is unreadable: ${(cause as Error).message}; restore it, or delete it to give the node a new identity`,
        { cause },
      );
    }
  }
  const nodeId = randomUUID();
  writeFileSync(file, `${JSON.stringify({ nodeId, madeAt: new Date().toISOString() }, null, 2)}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
  return nodeId;
}
