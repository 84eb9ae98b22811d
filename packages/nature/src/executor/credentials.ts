import { createHmac, timingSafeEqual } from "node:crypto";
import { coreError } from "@metanode/core/errors";

/**
 * What an executor that answers later shows with its answer. Both forms are made of the task's id and a secret, so nothing is stored, and
 * every node with the same secret takes both.
 *
 * An executor written for Nature sends back nothing but the number `task_id`. It therefore gets a number that cannot be guessed: the id,
 * enciphered. The cipher is a Feistel network over the 53 bits of a number that every language reads, with HMAC as its round function;
 * whoever guesses names a waiting task once in 2^53 tries per task that waits.
 * @source M. Luby, C. Rackoff, "How to construct pseudorandom permutations from pseudorandom functions", 1988
 */
export interface Credentials {
  /** What proves that the holder was asked to do this task. 43 characters. */
  credential(taskId: number): string;
  /** Whether it is the credential of this task. Takes the same time whatever was given. */
  verify(taskId: number, credential: string): boolean;
  /** The number that stands for a task towards executors of Nature. */
  seal(taskId: number): number;
  /** The task of such a number; any other number gives some number that is no task. */
  open(sealed: number): number;
}

const MIN_SECRET_BYTES = 16;
const HALF = 2 ** 27;
const ROUNDS = 8;

/** @throws config.invalid – the secret has fewer than 16 bytes */
export function createCredentials(secret: string | Uint8Array): Credentials {
  const bytes = typeof secret === "string" ? Buffer.from(secret) : secret;
  if (bytes.length < MIN_SECRET_BYTES) {
    throw coreError("config.invalid", `the secret of callbacks has ${bytes.length} bytes, expected ${MIN_SECRET_BYTES} or more`, {
      details: { path: "secret" },
    });
  }
  // Each use has a key of its own.
  const keyOf = (use: string): Buffer => createHmac("sha256", bytes).update(`metanode.callback.${use}`).digest();
  const credentialKey = keyOf("credential");
  const sealKey = keyOf("seal");
  const credential = (taskId: number): string => createHmac("sha256", credentialKey).update(String(taskId)).digest("base64url");
  const mix = (round: number, half: number): number =>
    createHmac("sha256", sealKey).update(`${round}:${half}`).digest().readUInt32BE() % HALF;
  const forward = ([high, low]: Block): Block => {
    for (let round = 0; round < ROUNDS; round++) [high, low] = [low, high ^ mix(round, low)];
    return [high, low];
  };
  const backward = ([high, low]: Block): Block => {
    for (let round = ROUNDS - 1; round >= 0; round--) [high, low] = [low ^ mix(round, high), high];
    return [high, low];
  };
  return {
    credential,
    verify: (taskId, given) => {
      const expected = Buffer.from(credential(taskId));
      const found = Buffer.from(given);
      return (
        timingSafeEqual(expected, found.length === expected.length ? found : Buffer.alloc(expected.length)) &&
        found.length === expected.length
      );
    },
    seal: (taskId) => walk(taskId, forward),
    open: (sealed) => walk(sealed, backward),
  };
}

/** Two halves of 27 bits: JavaScript's 32-bit operators are exact on them, and on both together its numbers are not. */
type Block = [high: number, low: number];

/** Goes on until it comes to a number that JavaScript can hold: half of all blocks are. */
function walk(id: number, step: (block: Block) => Block): number {
  if (!Number.isSafeInteger(id) || id < 0) {
    throw coreError("usage.invalid", `the id of a task is ${id}, expected a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`, {
      details: { path: "/task_id" },
    });
  }
  let block: Block = [Math.floor(id / HALF), id % HALF];
  do block = step(block);
  while (block[0] >= HALF / 2);
  return block[0] * HALF + block[1];
}
