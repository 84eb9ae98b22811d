import type { Appender } from "../appender.ts";
import { Unavailable } from "../contender.ts";

/** Our log in SQLite, as an embedded node opens it. */
export async function openOurLog(): Promise<Appender> {
  throw new Unavailable("the log of packages/core is not available yet");
}
