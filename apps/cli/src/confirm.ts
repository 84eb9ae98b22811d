import { createInterface } from "node:readline/promises";
import { coreError } from "@metanode/core/errors";
import { Exit, INTERRUPTED } from "./exit.ts";
import type { Invocation } from "./invocation.ts";

/**
 * Asks before something that cannot be taken back, unless `--yes` was given. Where nobody can answer, `--yes` is needed.
 * @throws {MetanodeError} usage.invalid – there is no terminal to ask at.
 */
export async function confirm(invocation: Invocation, question: string): Promise<void> {
  if (invocation.has("yes")) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw coreError("usage.invalid", `${question} There is no terminal to ask at; say --yes`);
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const interrupted = new AbortController();
  terminal.on("SIGINT", () => interrupted.abort());
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal: interrupted.signal });
    if (/^y(es)?$/i.test(answer.trim())) return;
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    process.stderr.write("\n");
    throw new Exit(INTERRUPTED);
  } finally {
    terminal.close();
  }
  throw new Exit(1);
}
