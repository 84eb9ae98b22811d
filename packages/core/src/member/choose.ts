import type { Message } from "../message/message.ts";
import type { Member } from "./member.ts";

/**
 * Picks one of `members` for `message`: one that is ready and none of `avoid`, undefined if there is no such one.
 * Called once per attempt and never twice at a time; may keep state between calls.
 * @throws {MetanodeError} group.invalid_key – the message has no usable key
 */
export type Choose = (members: readonly Member[], message: Message, avoid: readonly Member[]) => Member | undefined;

/** Whether a member can be chosen. */
export function isFree(member: Member, avoid: readonly Member[]): boolean {
  return member.state === "ready" && (avoid.length === 0 || !avoid.includes(member));
}
