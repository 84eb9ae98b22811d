import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { basename, delimiter, dirname, isAbsolute, join, resolve } from "node:path";
import { coreError } from "../errors.ts";
import type { Target } from "./rules.ts";

/** A file that an attempt is about. */
export interface FileTarget extends Target {
  /** Where it really is. */
  readonly folder: string;
  readonly name: string;
}

/** A program that an attempt is about. */
export interface ProgramTarget extends Target {
  /** Undefined where there is none. */
  readonly file: string | undefined;
}

/** A file that is read: links are followed to their end. @throws {MetanodeError} message.schema – no absolute path */
export async function fileToRead(path: string): Promise<FileTarget> {
  const plain = absolute(path);
  return fileAt(await realOf(plain), plain);
}

/**
 * A file that is written: it takes the place of what is there, so a link is replaced and not followed; the folders above it are.
 * @throws {MetanodeError} message.schema – no absolute path
 */
export async function fileToWrite(path: string): Promise<FileTarget> {
  const plain = absolute(path);
  return fileAt(await besideOf(plain), plain);
}

function fileAt(place: string, given: string): FileTarget {
  return { places: [place], names: [place, given], folder: dirname(place), name: basename(place) };
}

/** A thing that goes by its name alone. */
export function namedTarget(name: string): Target {
  return { places: [name], names: [name] };
}

/**
 * The program that the first argument means. A name is looked for in the folders of the node's own PATH, never in those of
 * the caller: else a caller could bring a program of its own under a name that is allowed.
 */
export async function programOf(argument: string, cwd: string): Promise<ProgramTarget> {
  const isName = !argument.includes("/");
  const given = isName ? await findInPath(argument) : resolve(cwd, argument);
  if (given === undefined) return { places: [argument], names: [argument], file: undefined };
  const file = await besideOf(given);
  const end = await realOf(given);
  return {
    places: isName ? [argument, file] : [file],
    names: [argument, given, file, end, basename(given), basename(end)],
    file: (await isProgram(file)) ? file : undefined,
  };
}

/** The file of a program of that name in the node's PATH. */
export async function findInPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const file = join(folder, name);
    if (isAbsolute(file) && (await isProgram(file))) return file;
  }
  return undefined;
}

async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

function absolute(path: string): string {
  if (isAbsolute(path) && !path.includes("\0") && basename(path) !== "") return resolve(path);
  throw coreError("message.schema", `the path is ${JSON.stringify(path)}, expected the absolute path of a file`, {
    details: { path: "/path" },
  });
}

/** With the folders above it resolved, and itself not. */
async function besideOf(path: string): Promise<string> {
  return join(await realOf(dirname(path)), basename(path));
}

/** The real path of what exists of a path, and the rest as it is: what may not be there must be denied all the same. */
async function realOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await realOf(parent), basename(path));
  }
}
