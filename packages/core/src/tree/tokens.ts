import { createHash, randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import { coreError, type MetanodeError } from "../errors.ts";
import type { TreeStore } from "./store.ts";

/** What a token lets its bearer do: become a child of the node, or its manager. */
export type TokenPurpose = "join" | "adopt";

export interface TokenOptions {
  purpose: TokenPurpose;
  /** @default one hour */
  ttlMs?: number;
  /** Nodes that may use it. @default 1 */
  uses?: number;
}

/** A token without its secret. */
export interface TokenInfo {
  readonly id: string;
  readonly purpose: TokenPurpose;
  readonly expiresMs: number;
  readonly uses: number;
  /** The nodes that have used it. */
  readonly usedBy: readonly string[];
}

/** What a token's text says to whoever is to use it. */
export interface TokenText {
  readonly address: string;
  readonly secret: string;
  readonly purpose: TokenPurpose;
  /** Of the authority of the node that listens: SHA-256 of its key, base64url, during its change two, with a dot between; absent over plain links. */
  readonly fingerprint?: string | undefined;
}

const PREFIX = "mnt1.";
const KEYS = "token/";
const HOUR_MS = 3_600_000;

interface Stored extends TokenInfo {
  readonly hash: string;
}

/** The tokens of a node. Secrets are kept as hashes only; a use is stored before it counts. */
export class TokenBook {
  readonly #store: TreeStore;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, Stored>();

  constructor(store: TreeStore, records: ReadonlyMap<string, unknown>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    for (const [key, value] of records) if (key.startsWith(KEYS)) this.#keep(value as Stored);
  }

  /** Makes a token; gives its secret, which is nowhere else. */
  create({ purpose, ttlMs = HOUR_MS, uses = 1 }: TokenOptions): { secret: string; info: TokenInfo } {
    const secret = randomBytes(24).toString("base64url");
    const hash = hashOf(secret);
    const stored: Stored = { id: hash.slice(0, 12), purpose, expiresMs: this.#clock.now() + ttlMs, uses, usedBy: [], hash };
    this.#put(stored);
    return { secret, info: infoOf(stored) };
  }

  /**
   * Uses a token up by one, unless this node has used it before: a link that broke too early may be dialled again.
   * @throws {MetanodeError} auth.unauthenticated – says whether it is wrong, expired or used up
   */
  redeem(secret: string, purpose: TokenPurpose, nodeId: string): void {
    // Found by the hash of a secret of 192 bits: timing tells nothing that helps to guess it.
    const token = this.#tokens.get(hashOf(secret));
    if (token === undefined || token.purpose !== purpose) throw refused("is not known here, or is for another purpose");
    if (token.expiresMs <= this.#clock.now()) throw refused("has expired");
    if (token.usedBy.includes(nodeId)) return;
    if (token.usedBy.length >= token.uses) throw refused("is used up");
    this.#put({ ...token, usedBy: [...token.usedBy, nodeId] });
  }

  list(): TokenInfo[] {
    return [...this.#tokens.values()].map(infoOf);
  }

  /** @throws {MetanodeError} resource.not_found */
  revoke(id: string): void {
    const token = [...this.#tokens.values()].find((one) => one.id === id);
    if (token === undefined) throw coreError("resource.not_found", `there is no token ${id}`);
    this.#tokens.delete(token.hash);
    this.#store.delete(KEYS + token.id);
  }

  #put(token: Stored): void {
    this.#forgetExpired();
    this.#store.put(KEYS + token.id, token);
    this.#keep(token);
  }

  #keep(token: Stored): void {
    this.#tokens.set(token.hash, token);
  }

  #forgetExpired(): void {
    const nowMs = this.#clock.now();
    for (const { id, expiresMs } of this.#tokens.values()) if (expiresMs <= nowMs) this.revoke(id);
  }
}

function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

function infoOf({ id, purpose, expiresMs, uses, usedBy }: Stored): TokenInfo {
  return { id, purpose, expiresMs, uses, usedBy };
}

function refused(why: string): MetanodeError {
  return coreError("auth.unauthenticated", `the token ${why}; make a new one with \`metanode join token\``);
}

/** A token as people pass it on. */
export function formatToken({ address, secret, purpose, fingerprint }: TokenText): string {
  const body = { a: address, s: secret, p: purpose, ...(fingerprint === undefined ? {} : { f: fingerprint }) };
  return PREFIX + Buffer.from(JSON.stringify(body)).toString("base64url");
}

/** @throws {MetanodeError} auth.unauthenticated – the text is no token */
export function parseToken(text: string): TokenText {
  const trimmed = text.trim();
  try {
    if (!trimmed.startsWith(PREFIX)) throw new Error("no prefix");
    const body = JSON.parse(Buffer.from(trimmed.slice(PREFIX.length), "base64url").toString()) as Record<string, unknown>;
    const { a: address, s: secret, p: purpose, f: fingerprint } = body;
    if (typeof address === "string" && typeof secret === "string" && (purpose === "join" || purpose === "adopt")) {
      return { address, secret, purpose, ...(typeof fingerprint === "string" ? { fingerprint } : {}) };
    }
  } catch {
    // told below
  }
  throw coreError("auth.unauthenticated", `the text is no token, expected one that begins with ${PREFIX}; copy it as a whole`);
}
