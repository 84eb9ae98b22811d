import { actorError } from "../errors.ts";
import { type Alias, checkName, ProcessName } from "../identity/index.ts";
import { extrasOf } from "../process/extras.ts";
import type { Process } from "../process/process.ts";
import type { Tables } from "./tables.ts";
import { allowed, tellEnd } from "./watch.ts";

/** @throws actor.name_too_long, actor.incorrect – empty, actor.name_taken – by another, or the process has a name. */
export function registerName(tables: Tables, process: Process, name: string): void {
  allowed(process);
  checkName(name);
  if (tables.names.has(name)) throw actorError("actor.name_taken", `the name ${name} is taken`);
  if (process.name !== undefined) throw actorError("actor.name_taken", `process ${process.pid} is named ${process.name}`);
  process.name = name;
  tables.names.set(name, { address: new ProcessName(name, tables.node), process, watchers: undefined });
}

/** Frees a name; its watchers get `actor.unregistered`. @throws actor.name_unknown */
export function unregisterName(tables: Tables, name: string): void {
  if (tables.state === "stopped") throw actorError("actor.node_terminated");
  const entry = tables.names.get(name);
  if (entry === undefined) throw actorError("actor.name_unknown", `the name ${name} is not registered`);
  tables.names.delete(name);
  entry.process.name = undefined;
  tellEnd(entry.watchers, "name", entry.process.pid, actorError("actor.unregistered"));
}

/** A further address for `process`. */
export function createAlias(tables: Tables, process: Process): Alias {
  allowed(process);
  const alias = tables.makeAlias();
  tables.aliases.set(alias.id, { address: alias, process, watchers: undefined });
  extrasOf(process).aliases.add(alias);
  return alias;
}

/** Withdraws an alias; its watchers get `actor.unregistered`. @throws actor.alias_unknown, actor.alias_owner */
export function deleteAlias(tables: Tables, process: Process, alias: Alias<never, never>): void {
  allowed(process);
  const entry = tables.entryOfAlias(alias);
  if (entry === undefined) throw actorError("actor.alias_unknown", `no such alias: ${alias}`);
  if (entry.process !== process) throw actorError("actor.alias_owner", `${alias} belongs to another process`);
  tables.aliases.delete(alias.id);
  process.extras?.aliases.delete(entry.address);
  tellEnd(entry.watchers, "alias", process.pid, actorError("actor.unregistered"));
}
