import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { coreError } from "../errors.ts";

/** Labels of a node, for selectors: `zone=eu`. */
export interface HostLabels {
  readonly labels: Readonly<Record<string, string>>;
  /** Counts the edits up. */
  readonly revision: number;
}

/** The payload of `metanode.host.labels`; without an edit it only reads. */
export interface LabelsInput {
  readonly set?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
  /** The revision that the edit is meant for. @default any */
  readonly revision?: number;
}

/** Longest name and value of a label. */
const MAX_NAME = 63;
const MAX_VALUE = 256;

/** What the schema says of a name of a label. */
export const LABEL_NAME = `^[A-Za-z0-9][A-Za-z0-9._/-]{0,${MAX_NAME - 1}}$`;
export const LABEL_VALUE = `^[^\\u0000-\\u001f\\u007f]{0,${MAX_VALUE}}$`;

/** Labels, kept in a file that is replaced as a whole. Edits are done within one turn, so none comes between. */
export class LabelStore {
  readonly #file: string;
  readonly #listeners = new Set<(labels: HostLabels) => void>();
  #current: HostLabels;

  /** @throws {MetanodeError} config.invalid – the file is unreadable */
  constructor(folder: string) {
    this.#file = join(folder, "labels.json");
    this.#current = read(this.#file);
  }

  get current(): HostLabels {
    return this.#current;
  }

  /** @throws {MetanodeError} state.conflict – another revision is current; `details.revision` is that */
  edit({ set = {}, remove = [], revision }: LabelsInput): HostLabels {
    const { current } = this;
    if (revision !== undefined && revision !== current.revision) {
      throw coreError(
        "state.conflict",
        `the labels are at revision ${current.revision}, the edit is meant for ${revision}; read them again, and edit what is there`,
        { details: { revision: current.revision } },
      );
    }
    const kept = Object.entries(current.labels).filter(([name]) => !remove.includes(name));
    const labels = Object.fromEntries(
      Object.entries({ ...Object.fromEntries(kept), ...set }).sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    if (JSON.stringify(labels) === JSON.stringify(current.labels)) return current;
    const next: HostLabels = Object.freeze({ labels: Object.freeze(labels), revision: current.revision + 1 });
    replace(this.#file, `${JSON.stringify(next, null, 2)}\n`);
    this.#current = next;
    for (const listener of this.#listeners) listener(next);
    return next;
  }

  /** Calls back after every change, until the returned function is called. It must not throw. */
  onChange(listener: (labels: HostLabels) => void): () => void {
    const own = (labels: HostLabels): void => listener(labels);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }
}

function read(file: string): HostLabels {
  let problem: unknown;
  try {
    const found = JSON.parse(readFileSync(file, "utf8")) as Partial<HostLabels> | null;
    if (found !== null && Number.isInteger(found?.revision) && isLabels(found?.labels)) return found as HostLabels;
    problem = "it does not hold labels and a revision";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { labels: {}, revision: 0 };
    problem = (error as Error).message;
  }
  throw coreError("config.invalid", `${file} is unreadable: ${problem}; restore it, or delete it to begin without labels`);
}

function isLabels(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.values(value).every((one) => typeof one === "string");
}

function replace(file: string, text: string): void {
  const beside = `${file}.new`;
  const handle = openSync(beside, "w", 0o600);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(beside, file);
}
