import { actorError } from "../errors.ts";

/** Longest name of a node, a process or an event, in bytes. */
export const MAX_NAME_BYTES = 255;

/** Gives a name that may be registered. @throws actor.incorrect – it is empty or no text; actor.name_too_long */
export function checkName(name: string): string {
  if (typeof name !== "string" || name === "") {
    throw actorError("actor.incorrect", `a name has at least one character: ${JSON.stringify(name)}`);
  }
  const bytes = Buffer.byteLength(name);
  if (bytes > MAX_NAME_BYTES) throw actorError("actor.name_too_long", `a name has at most ${MAX_NAME_BYTES} bytes, not ${bytes}`);
  return name;
}
