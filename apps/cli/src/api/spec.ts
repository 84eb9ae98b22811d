import { resolve } from "node:path";
import { coreError } from "@metanode/core/errors";
import type { Invocation } from "../invocation.ts";
import { isLocal } from "../settings.ts";

/** How a processor is to be started, as the API takes it. */
export interface ProcessorSpecBody {
  readonly file?: string;
  readonly command?: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly processes?: number;
  readonly maxMemoryBytes?: number;
}

/**
 * The spec that the words after the name, and the options, describe. On a node of this machine paths mean what they mean
 * here; for another node they are passed on as they are.
 * @throws {MetanodeError} usage.invalid – neither or both of a command and a file.
 */
export function specOf(invocation: Invocation, url: URL): ProcessorSpecBody {
  const command = invocation.words(1);
  const file = invocation.text("file");
  if (command.length > 0 === (file !== undefined)) {
    const what = file === undefined ? "neither --file nor a command after --" : "both --file and a command after --";
    throw coreError("usage.invalid", `${what}, expected one of them: --file pricing.ts, or -- python3 main.py`);
  }
  const isHere = isLocal(url.href);
  const placed = (path: string | undefined): string | undefined => (path !== undefined && isHere ? resolve(path) : path);
  const cwd = placed(invocation.text("cwd") ?? (isHere ? "." : undefined));
  const processes = invocation.number("processes");
  const maxMemoryBytes = invocation.number("maxMemory");
  const env = invocation.pairs("env");
  return {
    ...(file === undefined ? { command } : { file: placed(file) }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    ...(processes === undefined ? {} : { processes }),
    ...(maxMemoryBytes === undefined ? {} : { maxMemoryBytes }),
  } as ProcessorSpecBody;
}

/** Starting and draining processes takes as long as it takes: the node has limits of its own for both. */
export const CHANGE_TIMEOUT_MS = 0;
