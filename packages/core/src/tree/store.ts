import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { coreError } from "../errors.ts";

/**
 * What a node remembers of the tree: small records by key.
 *
 * T1. When `put` or `delete` has returned, it survives a crash of the process and of the machine. A write that was cut off is
 *     as if it had not begun.
 * T2. A record costs its own size to write, however many there are.
 */
export interface TreeStore {
  /** Every record, read once at the start. @throws {MetanodeError} log.storage – a file is damaged */
  load(): Map<string, unknown>;
  put(key: string, value: unknown): void;
  delete(key: string): void;
}

/** Survives as long as the object does: for nodes in memory, and for simulations of crashes. */
export function createMemoryTreeStore(): TreeStore {
  const records = new Map<string, string>();
  return {
    load: () => new Map([...records].map(([key, text]) => [key, JSON.parse(text) as unknown])),
    put: (key, value) => void records.set(key, JSON.stringify(value)),
    delete: (key) => void records.delete(key),
  };
}

const SUFFIX = ".json";

/** One file per record, of mode 0600, replaced as a whole. */
class FileTreeStore implements TreeStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  load(): Map<string, unknown> {
    const records = new Map<string, unknown>();
    for (const name of readdirSync(this.#folder)) {
      if (!name.endsWith(SUFFIX)) continue; // of a write that was cut off
      records.set(decodeURIComponent(name.slice(0, -SUFFIX.length)), this.#read(join(this.#folder, name)));
    }
    return records;
  }

  put(key: string, value: unknown): void {
    const file = this.#fileOf(key);
    this.#guarded(file, () => {
      const temporary = `${file}.new`;
      const handle = openSync(temporary, "w", 0o600);
      try {
        writeSync(handle, JSON.stringify(value));
        fsyncSync(handle);
      } finally {
        closeSync(handle);
      }
      renameSync(temporary, file);
      this.#syncFolder();
    });
  }

  delete(key: string): void {
    const file = this.#fileOf(key);
    this.#guarded(file, () => {
      rmSync(file, { force: true });
      this.#syncFolder();
    });
  }

  /** A name in a folder is durable when the folder is. */
  #syncFolder(): void {
    const handle = openSync(this.#folder, "r");
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  }

  #fileOf(key: string): string {
    return join(this.#folder, encodeURIComponent(key) + SUFFIX);
  }

  #read(file: string): unknown {
    try {
      return JSON.parse(readFileSync(file, "utf8")) as unknown;
    } catch (cause) {
      throw coreError("log.storage", `${file} is unreadable: ${(cause as Error).message}; restore it, or delete it`, { cause });
    }
  }

  #guarded(file: string, work: () => void): void {
    try {
      work();
    } catch (cause) {
      throw coreError("log.storage", `${file} cannot be written: ${(cause as Error).message}`, { cause });
    }
  }
}

/** Opens the records in a folder, which is made if need be. */
export function openFileTreeStore(folder: string): TreeStore {
  return new FileTreeStore(folder);
}
