import { pathToFileURL } from "node:url";
import type { ApplicationSpec, PID } from "@metanode/actors";
import { type ActorsModule, type ActorsOptions, actors, type HandleSpec, type RootRules } from "@metanode/actors/module";
import { coreError, type MetanodeError } from "@metanode/core";
import { rejectUnknownKeys, textOf } from "@metanode/core/internal";

/** The class of an actor or a supervisor. Its `init` gets the arguments of the specification. */
export type ActorClass = new () => { readonly self: PID<never, never>; init(...args: never[]): unknown };

/** An actor or a supervisor at the top of the node's kernel. */
export interface ActorSpec extends Omit<RootRules, "options"> {
  /** It is registered under it. `node` stands for the node itself. */
  name: string;
  /** A TypeScript or JavaScript file that exports its class. Either this or `actor`. */
  file?: string;
  /** The name of the class in the file. @default the only class that the file exports */
  export?: string;
  /** The class itself, where the configuration is code. */
  actor?: ActorClass;
  /** What its `init` gets. @default [] */
  args?: readonly unknown[];
  /** Longest queue of its mailbox; 0 = no limit. @default 0 */
  mailboxLimit?: number;
  /** Message types, or patterns of them, that it handles, or with `actor` one of its children: how, or more than that. */
  handles?: Readonly<Record<string, NonNullable<HandleSpec["mode"]> | Partial<HandleSpec>>>;
}

const KEYS = [
  "name",
  "file",
  "export",
  "actor",
  "args",
  "mailboxLimit",
  "handles",
  "restart",
  "intensity",
  "periodMs",
  "retryMs",
];

/** Stands for a class that is not loaded yet, while the rest is checked. */
class Unloaded {
  readonly self = undefined as never;
  init(..._args: never[]): unknown {
    return undefined;
  }
}

/** Checks what can be checked of actors before their files are loaded. @throws {MetanodeError} config.invalid */
export function checkActors(specs: readonly ActorSpec[]): void {
  const seen = new Set<string>();
  for (const [index, spec] of specs.entries()) {
    const path = `actors.${textOf(`actors[${index}].name`, spec.name)}`;
    rejectUnknownKeys(path, spec, KEYS);
    if (seen.has(spec.name)) throw invalid(path, `actors names ${spec.name} twice; give each actor a name of its own`);
    seen.add(spec.name);
    if ((spec.file === undefined) === (spec.actor === undefined)) {
      throw invalid(path, `${path} has ${spec.file === undefined ? "neither" : "both"} file and actor, expected exactly one`);
    }
    if (spec.file !== undefined) textOf(`${path}.file`, spec.file);
    if (spec.export !== undefined) textOf(`${path}.export`, spec.export);
  }
  actors(optionsOf(specs, new Map())); // builds only; it names the path of what else is wrong
}

/** The module that hosts the actors of a configuration; loads their files. @throws {MetanodeError} config.invalid */
export async function loadActors(
  specs: readonly ActorSpec[],
  applications: readonly ApplicationSpec[] = [],
): Promise<ActorsModule> {
  const loaded = new Map<string, ActorClass>();
  for (const spec of specs) if (spec.file !== undefined) loaded.set(spec.name, await load(spec, spec.file));
  return actors({ ...optionsOf(specs, loaded), applications });
}

function optionsOf(specs: readonly ActorSpec[], loaded: ReadonlyMap<string, ActorClass>): ActorsOptions {
  const roots = specs.map(({ name, actor, args, mailboxLimit, restart, intensity, periodMs, retryMs }) => {
    const options = mailboxLimit === undefined ? undefined : { mailboxLimit };
    const given = { actor: actor ?? loaded.get(name) ?? Unloaded, args, options, restart, intensity, periodMs, retryMs };
    return [name, Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))];
  });
  const handles: [string, unknown][] = specs.flatMap((spec) =>
    Object.entries(spec.handles ?? {}).map(([type, how]): [string, unknown] => {
      if (typeof how === "string") return [type, { actor: spec.name, mode: how }];
      return [type, typeof how === "object" && how !== null ? { actor: spec.name, ...how } : how];
    }),
  );
  const twice = handles.find(([type], index) => handles.findIndex(([other]) => other === type) !== index)?.[0];
  if (twice !== undefined) throw invalid("actors", `two actors handle ${twice}; leave it to one of them`);
  return { roots: Object.fromEntries(roots), handles: Object.fromEntries(handles) } as ActorsOptions;
}

async function load(spec: ActorSpec, file: string): Promise<ActorClass> {
  const path = `actors.${spec.name}.${spec.export === undefined ? "file" : "export"}`;
  let exported: Record<string, unknown>;
  try {
    exported = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (cause) {
    throw invalid(
      `actors.${spec.name}.file`,
      `the file ${file} of actor ${spec.name} cannot be loaded: ${(cause as Error).message}`,
      cause,
    );
  }
  const classes = Object.entries(exported).filter((entry): entry is [string, ActorClass] => isActorClass(entry[1]));
  const known = classes.map(([name]) => name).join(", ") || "none";
  if (spec.export !== undefined) {
    const found = classes.find(([name]) => name === spec.export)?.[1];
    if (found !== undefined) return found;
    throw invalid(path, `the file ${file} exports no actor named ${spec.export}; it exports ${known}`);
  }
  const [only] = classes;
  if (only !== undefined && classes.length === 1) return only[1];
  throw invalid(
    path,
    `the file ${file} exports ${classes.length === 0 ? "no actor" : `several actors (${known})`}, expected one; name it with export`,
  );
}

/** Whether a value is a class with the parts of an actor; of a second copy of the package as well. */
function isActorClass(value: unknown): value is ActorClass {
  if (typeof value !== "function") return false;
  const parts = (value as { prototype?: { init?: unknown; handleMessage?: unknown } }).prototype;
  return typeof parts?.init === "function" && typeof parts.handleMessage === "function";
}

function invalid(path: string, message: string, cause?: unknown): MetanodeError {
  return coreError("config.invalid", message, { details: { path }, ...(cause === undefined ? {} : { cause }) });
}
