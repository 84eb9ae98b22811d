import { actorError } from "../errors.ts";
import type { PID } from "../identity/index.ts";
import type { LoggerOptions } from "../log/index.ts";
import { Envelope } from "../mailbox/index.ts";
import { extrasOf } from "../process/extras.ts";
import { undeliverable } from "./deliver.ts";
import type { Tables } from "./tables.ts";

/**
 * Makes a process a logger: records come to its `handleLog`, after all other mail; what does not fit is dropped. Meanwhile it
 * logs nothing itself. Its end removes the logger.
 * @throws actor.process_unknown, actor.logger_taken, actor.not_allowed – it is a logger already, or a pool or router
 */
export function addProcessLogger(tables: Tables, pid: PID<never, never>, name: string, options: LoggerOptions = {}): void {
  const process = tables.byPid(pid);
  if (process === undefined) throw undeliverable("actor.process_unknown", pid as PID);
  if (process.extras?.loggerName !== undefined) {
    throw actorError("actor.not_allowed", `process ${pid} is the logger ${process.extras.loggerName} already`);
  }
  if (process.isRouting) throw actorError("actor.not_allowed", `process ${pid} hands its mail on and cannot be a logger`);
  const { core, logging } = tables;
  const end = (): void => logging.remove(name);
  const close = (): void => {
    extrasOf(process).onEnd.delete(end);
    extrasOf(process).loggerName = undefined;
    options.close?.();
  };
  logging.add(name, (record) => process.put("log", undefined, new Envelope("log", core, record)), { ...options, close });
  extrasOf(process).loggerName = name;
  extrasOf(process).onEnd.add(end);
}
