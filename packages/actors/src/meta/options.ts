import { actorError } from "../errors.ts";
import { isPriority } from "../mailbox/index.ts";
import { DEFAULT_INIT_MS } from "../runtime/spawn.ts";
import type { MetaOptions } from "./behaviour.ts";

const KNOWN: readonly string[] = ["mailboxLimit", "priority", "initTimeoutMs", "logLevel"] satisfies (keyof MetaOptions)[];

/** Checks the options and fills in what was left out. An unknown priority is the normal one. @throws actor.incorrect */
export function resolveMetaOptions(given: MetaOptions): Required<Omit<MetaOptions, "logLevel">> {
  for (const key of Object.keys(given)) {
    if (!KNOWN.includes(key)) {
      throw actorError("actor.incorrect", `meta.${key} is not an option; known are ${KNOWN.join(", ")}`);
    }
  }
  const { mailboxLimit = 0, initTimeoutMs = DEFAULT_INIT_MS, priority } = given;
  if (!Number.isInteger(mailboxLimit) || mailboxLimit < 0) {
    throw actorError("actor.incorrect", `meta.mailboxLimit is ${mailboxLimit}, expected a whole number of 0 or more`);
  }
  if (!(initTimeoutMs > 0)) {
    throw actorError("actor.incorrect", `meta.initTimeoutMs is ${initTimeoutMs}, expected more than 0`);
  }
  return { mailboxLimit, initTimeoutMs, priority: isPriority(priority) ? priority : "normal" };
}
