import { readFile } from "node:fs/promises";
import { coreError, type MetanodeError } from "@metanode/core";

/** One package that a lockfile pins. */
export interface LockedPackage {
  /** Its key in the lockfile: where it is installed, below the folder of the lockfile. Unique. */
  readonly path: string;
  /** The name under which it is published: for an alias, not the name of its folder. */
  readonly name: string;
  /** What the lockfile says of it, unchecked. */
  readonly entry: unknown;
}

/** What a lockfile pins, and what it lists besides. */
export interface Lockfile {
  readonly file: string;
  readonly lockfileVersion: number;
  /** Everything below a `node_modules` that is no link, in the order of the file. */
  readonly packages: readonly LockedPackage[];
  /** Not audited: symbolic links into a folder of the project. */
  readonly links: number;
  /** Not audited: the project itself, its workspaces, and folders that it depends on. */
  readonly localFolders: number;
}

const OLDEST_VERSION = 2;
const NEWEST_VERSION = 3;
const INSTALLED = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)$/;

/**
 * Reads a `package-lock.json` or an `npm-shrinkwrap.json` of lockfile version 2 or 3.
 * @throws {MetanodeError} resource.not_found – no such file; config.invalid – it cannot be read or is no lockfile;
 * call.unsupported – its version is not one of these.
 */
export async function readLockfile(file: string): Promise<Lockfile> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw coreError("resource.not_found", `there is no file ${file}; give the path of a package-lock.json`, {
        details: { file },
        cause,
      });
    }
    throw notLockfile(file, code === "EISDIR" ? "is a folder" : `cannot be read (${message})`, cause);
  }
  return parseLockfile(text, file);
}

/** The same for the text of a lockfile; `file` is named in errors. @throws {MetanodeError} as {@link readLockfile} */
export function parseLockfile(text: string, file: string): Lockfile {
  const lock = parseObject(text, file);
  const lockfileVersion = checkVersion(lock, file);
  if (!isObject(lock.packages)) {
    throw notLockfile(file, `says lockfileVersion ${lockfileVersion}, but has no object "packages"`);
  }
  const packages: LockedPackage[] = [];
  let links = 0;
  let localFolders = 0;
  for (const [path, entry] of Object.entries(lock.packages)) {
    const folderName = INSTALLED.exec(path)?.[1];
    if (folderName === undefined) localFolders++;
    else if (isObject(entry) && entry.link === true) links++;
    else packages.push({ path, name: publishedName(entry) ?? folderName, entry });
  }
  return { file, lockfileVersion, packages, links, localFolders };
}

function parseObject(text: string, file: string): Record<string, unknown> {
  // Editors on Windows may put a byte order mark in front; npm passes over it too.
  const json = text.startsWith("\ufeff") ? text.slice(1) : text;
  if (json.trim() === "") throw notLockfile(file, "is empty");
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw notLockfile(file, `is not JSON (${oneLine((cause as Error).message)})`, cause);
  }
  if (isObject(value)) return value;
  throw notLockfile(file, `holds ${Array.isArray(value) ? "an array" : JSON.stringify(value)?.slice(0, 40)}, not an object`);
}

function checkVersion(lock: Record<string, unknown>, file: string): number {
  const { lockfileVersion: version } = lock;
  if (typeof version !== "number") {
    // npm 5 and 6 wrote version 1; a file without any version is not from npm, or older still.
    throw notLockfile(file, version === undefined ? "has no lockfileVersion" : "has a lockfileVersion that is no number");
  }
  if (version === OLDEST_VERSION || version === NEWEST_VERSION) return version;
  const advice =
    version < OLDEST_VERSION
      ? "upgrade it with `npm install --package-lock-only --lockfile-version 3` (npm 7 or later)"
      : "write it again with `npm install --package-lock-only --lockfile-version 3`";
  throw coreError(
    "call.unsupported",
    `${file} has lockfileVersion ${version}, expected ${OLDEST_VERSION} or ${NEWEST_VERSION}; ${advice}`,
    { details: { file, found: version, expected: [OLDEST_VERSION, NEWEST_VERSION] } },
  );
}

function publishedName(entry: unknown): string | undefined {
  return isObject(entry) && typeof entry.name === "string" && entry.name !== "" ? entry.name : undefined;
}

function notLockfile(file: string, found: string, cause?: unknown): MetanodeError {
  return coreError("config.invalid", `${file} ${found}; expected a package-lock.json as npm 7 or later writes it`, {
    details: { file, found },
    ...(cause === undefined ? {} : { cause }),
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ");
}
