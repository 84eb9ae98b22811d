import { createHash, randomBytes } from "node:crypto";
import { type Clock, coreError } from "@metanode/core";
import type { Identity, Role } from "./roles.ts";
import type { AccessStore } from "./store.ts";

/** The name of whoever shows the token of the data folder or of the configuration. */
export const OWNER = "owner";
/** Nobody guesses 256 random bits; so a plain digest keeps them, and no slow one is needed. */
const TOKEN_BYTES = 32;
/** What every token begins with, so that scanners of leaked secrets know it. */
const PREFIX = "mnt_";
/** How exactly it is kept when a token was last used. */
const USED_STEP_MS = 60_000;

/** A token as people see it; its text is shown once, when it is made. */
export interface TokenInfo {
  readonly name: string;
  readonly role: Role;
  readonly createdMs: number;
  readonly expiresMs: number | undefined;
  /** To the minute. */
  readonly usedMs: number | undefined;
}

export interface TokensOptions {
  /** What the owner shows. */
  readonly ownerToken: string;
  /** Told when a token was revoked. */
  readonly onRevoked: (name: string) => void;
}

interface Known extends TokenInfo {
  usedMs: number | undefined;
}

/**
 * Who may come in: the owner, and whoever was given a token of their own. Only digests are kept.
 * Checking costs one SHA-256 and one look into a map; an attacker learns nothing from the time it takes, since what is
 * compared are digests.
 */
export class Tokens {
  readonly #store: AccessStore;
  readonly #clock: Clock;
  readonly #owner: string;
  #byDigest: Map<string, Known> | undefined;

  readonly #onRevoked: (name: string) => void;

  constructor(store: AccessStore, clock: Clock, { ownerToken, onRevoked }: TokensOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#owner = digest(ownerToken);
    this.#onRevoked = onRevoked;
  }

  /** Who shows a token; undefined if nobody does (any more). */
  identify(token: string): Identity | undefined {
    const shown = digest(token);
    if (shown === this.#owner) return { name: OWNER, role: "admin" };
    const found = this.#known().get(shown);
    const nowMs = this.#clock.now();
    if (found === undefined || (found.expiresMs !== undefined && found.expiresMs <= nowMs)) return undefined;
    if (found.usedMs === undefined || nowMs - found.usedMs >= USED_STEP_MS) {
      found.usedMs = nowMs;
      this.#keepUse(found.name, nowMs);
    }
    return found;
  }

  /** @throws {MetanodeError} state.conflict – the name is taken */
  create(name: string, role: Role, expiresInMs?: number): { readonly info: TokenInfo; readonly token: string } {
    const known = this.#known();
    if (name === OWNER || [...known.values()].some((one) => one.name === name)) {
      throw coreError("state.conflict", `there is a token ${name} already; revoke it first, or take another name`, {
        retryable: false,
        details: { name },
      });
    }
    const token = PREFIX + randomBytes(TOKEN_BYTES).toString("base64url");
    const createdMs = Math.floor(this.#clock.now());
    const expiresMs = expiresInMs === undefined ? undefined : createdMs + Math.floor(expiresInMs);
    this.#store.database
      .prepare("insert into token (name, digest, role, created_ms, expires_ms) values (?, ?, ?, ?, ?)")
      .run(name, digest(token), role, createdMs, expiresMs ?? null);
    const info = { name, role, createdMs, expiresMs, usedMs: undefined };
    known.set(digest(token), info);
    return { info, token };
  }

  /** By name. The owner is not among them. */
  list(): TokenInfo[] {
    return [...this.#known().values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Refuses a token from now on. @throws {MetanodeError} resource.not_found */
  revoke(name: string): void {
    const found = [...this.#known()].find(([, one]) => one.name === name);
    if (found === undefined) {
      const what =
        name === OWNER
          ? "the owner's token is the file in the data folder; delete it and restart the node for a new one"
          : `there is no token ${name}`;
      throw coreError("resource.not_found", what, { details: { name } });
    }
    this.#store.database.prepare("delete from token where name = ?").run(name);
    this.#byDigest?.delete(found[0]);
    this.#onRevoked(name);
  }

  #keepUse(name: string, nowMs: number): void {
    try {
      this.#store.database.prepare("update token set used_ms = ? where name = ?").run(Math.floor(nowMs), name);
    } catch {
      // A full disk keeps nobody out who could make room on it; the next minute tries again.
    }
  }

  #known(): Map<string, Known> {
    this.#byDigest ??= new Map(
      this.#store.database
        .prepare("select * from token")
        .all()
        .map((row) => [String(row.digest), knownOf(row)]),
    );
    return this.#byDigest;
  }
}

function knownOf(row: Record<string, unknown>): Known {
  const maybe = (value: unknown): number | undefined => (value === null ? undefined : Number(value));
  return {
    name: String(row.name),
    role: row.role as Role,
    createdMs: Number(row.created_ms),
    expiresMs: maybe(row.expires_ms),
    usedMs: maybe(row.used_ms),
  };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}
