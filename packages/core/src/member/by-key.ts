import { coreError, type MetanodeError } from "../errors.ts";
import type { Message } from "../message/message.ts";
import { type Choose, isFree } from "./choose.ts";
import { hashMember, hashText, moduloOf, weigh } from "./hash.ts";
import type { Member } from "./member.ts";

/** What a key function may give: a non-empty string, or a whole number. */
export type Key = string | number | bigint;

export interface KeyOptions {
  /**
   * What becomes of a key whose member is not ready. `next`: the member with the next weight (for integers, the next in
   * member order) stands in until it is. `error`: the call fails with `group.empty`; nobody else ever sees the key.
   * @default "next"
   */
  onUnavailable?: "next" | "error";
}

/** The chooser behind `one.byKey`. */
export function chooseByKey(keyOf: ((message: Message) => Key) | undefined, onUnavailable: "next" | "error"): Choose {
  const strict = onUnavailable === "error";
  const byWeight = strict ? ownerByWeight() : nextByWeight();
  return (members, message, avoid) => {
    if (members.length === 0) return undefined;
    const key = keyOf === undefined ? (message.subject ?? message.id) : readKey(keyOf, message);
    if (typeof key !== "string") {
      if (typeof key !== "bigint" && !Number.isInteger(key)) throw invalidKey(message, key);
      const at = moduloOf(key, members.length);
      return strict ? ownerOnly(members[at], key, avoid) : nextInOrder(members, at, avoid);
    }
    if (key === "") throw invalidKey(message, key);
    const member = byWeight(members, hashText(key), avoid);
    return strict ? ownerOnly(member, key, avoid) : member;
  };
}

type ByHash = (members: readonly Member[], keyHash: number, avoid: readonly Member[]) => Member | undefined;

/** The heaviest of the members that can be chosen. */
function nextByWeight(): ByHash {
  return heaviest(isFree);
}

/** The heaviest of all members. */
function ownerByWeight(): ByHash {
  return heaviest(() => true);
}

function heaviest(eligible: (member: Member, avoid: readonly Member[]) => boolean): ByHash {
  // The hashes of the members last seen, position by position, so that a call hashes the key alone.
  const seen: Member[] = [];
  const hashes: number[] = [];
  return (members, keyHash, avoid) => {
    let best: Member | undefined;
    let most = -1;
    for (let at = 0; at < members.length; at++) {
      const member = members[at];
      if (member === undefined) continue;
      if (seen[at] !== member) {
        seen[at] = member;
        hashes[at] = hashMember(member.id);
      }
      const weight = weigh(keyHash, hashes[at] ?? 0);
      if (weight < most || !eligible(member, avoid)) continue;
      if (weight === most && best !== undefined && member.id > best.id) continue;
      best = member;
      most = weight;
    }
    if (seen.length > members.length) {
      seen.length = members.length;
      hashes.length = members.length;
    }
    return best;
  };
}

function nextInOrder(members: readonly Member[], from: number, avoid: readonly Member[]): Member | undefined {
  for (let step = 0; step < members.length; step++) {
    const member = members[(from + step) % members.length];
    if (member !== undefined && isFree(member, avoid)) return member;
  }
  return undefined;
}

function ownerOnly(owner: Member | undefined, key: Key, avoid: readonly Member[]): Member | undefined {
  if (owner === undefined || avoid.includes(owner)) return undefined;
  if (owner.state === "ready") return owner;
  const found = `member ${owner.id}, to which key ${show(key)} belongs, is ${owner.state}`;
  throw coreError("group.empty", `${found}; try again when it is ready, or let others stand in with onUnavailable "next"`, {
    details: { key: String(key), states: { [owner.id]: owner.state } },
  });
}

function readKey(keyOf: (message: Message) => Key, message: Message): Key {
  let key: Key;
  try {
    key = keyOf(message);
  } catch (cause) {
    throw invalidKey(message, "an error of the key function", cause);
  }
  if (typeof key === "string" || typeof key === "number" || typeof key === "bigint") return key;
  throw invalidKey(message, key);
}

function invalidKey(message: Message, found: unknown, cause?: unknown): MetanodeError {
  const what = cause === undefined ? show(found) : `${found}: ${cause instanceof Error ? cause.message : String(cause)}`;
  const text = `the key of message ${message.id} of type ${message.type} is ${what}, expected a non-empty string or a whole number`;
  return coreError("group.invalid_key", `${text}; correct the message or the key function`, {
    details: { id: message.id, type: message.type },
    ...(cause === undefined ? {} : { cause }),
  });
}

function show(key: unknown): string {
  if (typeof key === "string") return JSON.stringify(key.slice(0, 80));
  return typeof key === "object" && key !== null ? "an object" : String(key);
}
