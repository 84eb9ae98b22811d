import { createHash, randomUUID } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { chmod, copyFile, link, mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Clock, systemClock } from "@metanode/core/clock";
import { coreError } from "@metanode/core/errors";
import { streamError } from "../errors.ts";

/** One version of an uploaded program. */
export interface UploadedAction {
  readonly name: string;
  /** From 1, never given twice; the newest is what a name without a version means. */
  readonly version: number;
  /** SHA-256 of the content, in hexadecimal digits. */
  readonly hash: string;
  readonly bytes: number;
  readonly uploadedAtMs: number;
}

export interface UploadStoreOptions {
  readonly folder: string;
  /** Largest program, in bytes. @default 256 MiB */
  readonly maxBytes?: number;
  readonly clock?: Clock;
}

/** What is stored beside the programs. */
interface Index {
  /** In the order in which they came. */
  readonly actions: readonly UploadedAction[];
  /** The newest version that a name ever had, though it may be removed. */
  readonly last: Readonly<Record<string, number>>;
}

/** What a program may be called: nothing that could be a path. */
const NAME = /^[A-Za-z][A-Za-z0-9._-]{0,99}$/;
/** Its owner may read and run it, and nobody may change it. */
const MODE = 0o500;

/**
 * Uploaded programs, by name and version, each content once under its SHA-256.
 *
 *  U1. A program is complete and synced before it has a name; a crash leaves at most a file without one, which goes with the next start.
 *  U2. A version means one content for ever: the number of a removed one is not given again.
 *  U3. What is run is a link of its own, hashed anew when its stage is opened: removing or replacing a program touches none that runs.
 */
export class UploadStore {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #clock: Clock;
  #index: Index = { actions: [], last: {} };
  #writing: Promise<unknown> = Promise.resolve();

  private constructor({ folder, maxBytes = 256 * 1_024 * 1_024, clock = systemClock }: UploadStoreOptions) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#clock = clock;
  }

  /** @throws {MetanodeError} stream.storage – the index cannot be read */
  static async open(options: UploadStoreOptions): Promise<UploadStore> {
    const store = new UploadStore(options);
    await mkdir(store.#folder, { recursive: true, mode: 0o700 });
    await store.#load();
    return store;
  }

  /** Every version of every program, by name, the newest first. */
  list(): UploadedAction[] {
    return this.#index.actions.toSorted((one, other) => compareNames(one.name, other.name) || other.version - one.version);
  }

  /** The version that `name` or `name@version` means. */
  find(reference: string): UploadedAction | undefined {
    const [name = "", version] = reference.split("@");
    const versions = this.#index.actions.filter((one) => one.name === name);
    return version === undefined ? versions.at(-1) : versions.find((one) => String(one.version) === version);
  }

  /** @throws {MetanodeError} stream.action_unknown */
  get(reference: string): UploadedAction {
    const found = this.find(reference);
    if (found !== undefined) return found;
    throw streamError("stream.action_unknown", `there is no uploaded program ${reference}; upload it first`, {
      details: { action: reference },
    });
  }

  /**
   * Takes a program in as the next version of its name. The same content as the newest version is no new one, and mends it
   * where its file was changed.
   * @throws {MetanodeError} usage.invalid – the name; stream.too_large – over `maxBytes`; stream.storage
   */
  async put(name: string, content: AsyncIterable<Uint8Array>): Promise<UploadedAction> {
    if (!NAME.test(name)) {
      throw coreError(
        "usage.invalid",
        `${JSON.stringify(name)} is no name of a program: a letter, then letters, digits, dots, _ and -`,
      );
    }
    const incoming = join(this.#folder, `incoming-${randomUUID()}`);
    try {
      const { hash, bytes } = await this.#receive(incoming, content);
      return await this.#exclusively(() => this.#keep(name, { incoming, hash, bytes }));
    } catch (error) {
      await rm(incoming, { force: true });
      throw stored(error);
    }
  }

  /** The content. @throws {MetanodeError} stream.action_unknown */
  read(reference: string): { readonly action: UploadedAction; readonly content: NodeJS.ReadableStream } {
    const action = this.get(reference);
    return { action, content: createReadStream(this.#file(action.hash)) };
  }

  /** Forgets one version, or all of a name. @throws {MetanodeError} stream.action_unknown */
  remove(reference: string): Promise<void> {
    return this.#exclusively(async () => {
      const action = this.get(reference);
      const isMeant = reference.includes("@")
        ? (one: UploadedAction) => one === action
        : (one: UploadedAction) => one.name === action.name;
      await this.#save({ ...this.#index, actions: this.#index.actions.filter((one) => !isMeant(one)) });
      await this.#sweep();
    });
  }

  /**
   * A link of the program in `folder`, checked against its hash: what the caller runs, whatever becomes of the name.
   * @throws {MetanodeError} stream.action_unknown; stream.storage – the content is not what was uploaded
   */
  async checkOut(reference: string, folder: string): Promise<string> {
    const action = this.get(reference);
    const source = this.#file(action.hash);
    const target = join(folder, `${action.name}-${action.version}`);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await rm(target, { force: true });
    try {
      await link(source, target).catch(() => copyFile(source, target)); // another file system
      await chmod(target, MODE);
      const found = await hashOf(target);
      if (found === action.hash) return target;
    } catch (error) {
      throw stored(error);
    }
    await rm(target, { force: true });
    throw streamError(
      "stream.storage",
      `the content of ${reference} was changed: its hash is not ${action.hash}; upload it again`,
    );
  }

  async #receive(file: string, content: AsyncIterable<Uint8Array>): Promise<{ hash: string; bytes: number }> {
    const hash = createHash("sha256");
    let bytes = 0;
    const handle = await open(file, "wx", MODE);
    try {
      for await (const chunk of content) {
        bytes += chunk.length;
        if (bytes > this.#maxBytes) {
          throw streamError("stream.too_large", `the program has more than ${this.#maxBytes} bytes`, {
            details: { maxBytes: this.#maxBytes },
          });
        }
        hash.update(chunk);
        await handle.appendFile(chunk); // all of it: a single write may take less
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    return { hash: hash.digest("hex"), bytes };
  }

  async #keep(
    name: string,
    { incoming, hash, bytes }: { incoming: string; hash: string; bytes: number },
  ): Promise<UploadedAction> {
    await rename(incoming, this.#file(hash)); // over the same content, which may have been changed since
    await this.#syncFolder();
    const newest = this.find(name);
    if (newest?.hash === hash) return newest;
    const { last } = this.#index;
    const version = (Object.hasOwn(last, name) ? (last[name] as number) : 0) + 1; // a name may be `constructor`
    const action = { name, version, hash, bytes, uploadedAtMs: this.#clock.now() };
    await this.#save({ actions: [...this.#index.actions, action], last: { ...last, [name]: version } });
    return action;
  }

  #file(hash: string): string {
    return join(this.#folder, `sha256-${hash}`);
  }

  get #indexFile(): string {
    return join(this.#folder, "index.json");
  }

  async #load(): Promise<void> {
    if (existsSync(this.#indexFile)) {
      try {
        const { actions, last } = JSON.parse(await readFile(this.#indexFile, "utf8")) as Index;
        this.#index = { actions: [...actions], last: { ...last } };
      } catch (cause) {
        throw streamError("stream.storage", `${this.#indexFile} cannot be read: ${String(cause)}`, { cause });
      }
    }
    await this.#sweep();
  }

  /** Written beside, synced, and put in place at once; it counts only then. */
  async #save(index: Index): Promise<void> {
    const file = `${this.#indexFile}.new`;
    await writeFile(file, JSON.stringify(index, null, 1), { mode: 0o600, flush: true });
    await rename(file, this.#indexFile);
    await this.#syncFolder();
    this.#index = index;
  }

  /** So that a name that was given stays given when the machine loses power. */
  async #syncFolder(): Promise<void> {
    if (process.platform === "win32") return; // which does not open folders
    const handle = await open(this.#folder);
    await handle.sync().finally(() => handle.close());
  }

  /** Removes content that nothing names. */
  async #sweep(): Promise<void> {
    const used = new Set(this.#index.actions.map(({ hash }) => `sha256-${hash}`));
    for (const file of await readdir(this.#folder)) {
      const isLeft = file.startsWith("incoming-") || (file.startsWith("sha256-") && !used.has(file));
      if (isLeft) await rm(join(this.#folder, file), { force: true });
    }
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(work);
    this.#writing = done.catch(() => undefined);
    return done;
  }
}

function compareNames(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

function stored(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException & { code?: string };
  const isOurs = typeof code === "string" && code.includes(".");
  return isOurs ? error : streamError("stream.storage", `the program could not be stored: ${String(error)}`, { cause: error });
}
