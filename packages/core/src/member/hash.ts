/**
 * Hashing for dispatch by key. Every number here is the same in every process, after every restart and on every
 * machine, and can be computed in any language: what was sent to a member yesterday is found there tomorrow.
 */

const encoder = new TextEncoder();

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * The 32-bit hash of a text's UTF-8 bytes, unsigned.
 * @source FNV-1a, 32 bit: http://www.isthe.com/chongo/tech/comp/fnv, RFC 9923
 */
export function hashText(text: string): number {
  let hash = FNV_OFFSET;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) return hashBytes(encoder.encode(text));
    hash = Math.imul(hash ^ unit, FNV_PRIME);
  }
  return hash >>> 0;
}

function hashBytes(bytes: Uint8Array): number {
  let hash = FNV_OFFSET;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, FNV_PRIME);
  return hash >>> 0;
}

/**
 * Spreads a 32-bit number: one bit more or less in `hash` changes every bit of the result with a chance of one half.
 * One-to-one, unsigned.
 * @source The finaliser `fmix32` of MurmurHash3 by Austin Appleby: https://github.com/aappleby/smhasher
 */
export function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** What {@link weigh} wants to know of a member, once per member. */
export function hashMember(id: string): number {
  return mix(hashText(id));
}

/**
 * How much a member weighs for a key: the heaviest has the key. A member that comes takes the keys it is heaviest for
 * and no others move; the keys of one that goes are spread over those that stay.
 * @source Rendezvous (highest random weight) hashing: Thaler and Ravishankar, IEEE/ACM Trans. Networking 6 (1), 1998
 */
export function weigh(keyHash: number, memberHash: number): number {
  return mix(keyHash ^ memberHash);
}

/** The id that has the key, whatever the order of the ids; undefined if there are none. */
export function rendezvous(key: string, ids: readonly string[]): string | undefined {
  const keyHash = hashText(key);
  let best: string | undefined;
  let heaviest = -1;
  for (const id of ids) {
    const weight = weigh(keyHash, hashMember(id));
    if (weight > heaviest || (weight === heaviest && best !== undefined && id < best)) {
      best = id;
      heaviest = weight;
    }
  }
  return best;
}

/** The remainder that lies in [0, count) for negative keys too. Going from 3 to 4 members moves about 75 % of the keys. */
export function moduloOf(key: number | bigint, count: number): number {
  if (typeof key === "bigint") {
    const wide = BigInt(count);
    return Number(((key % wide) + wide) % wide);
  }
  const rest = key % count;
  return rest < 0 ? rest + count : rest + 0; // + 0 turns -0 into 0
}
