import type { Clock } from "@metanode/core";
import type { AccessStore } from "./store.ts";

/** How long an answer is kept. */
const KEPT_MS = 24 * 60 * 60 * 1_000;
/** Answers that are kept; the oldest go. */
const MAX_ANSWERS = 20_000;
/** Largest body that is kept, in characters. */
const MAX_BODY = 64 * 1_024;
/** Answers between two looks at whether there are too many. */
const PRUNE_EVERY = 100;

/** An answer that was given before. */
export interface KeptAnswer {
  /** Of the request; another under the same key is another request. */
  readonly fingerprint: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent where it was too large to keep. */
  readonly body: string | undefined;
}

/**
 * Answers by the key that whoever asked has given them, each token with keys of its own. An answer is written when it is
 * given: a process that is killed between the work and its answer has forgotten the key, and does the work again.
 */
export class Replays {
  readonly #store: AccessStore;
  readonly #clock: Clock;
  #sincePruned = PRUNE_EVERY;

  constructor(store: AccessStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  find(name: string, key: string): KeptAnswer | undefined {
    const row = this.#store.database
      .prepare("select fingerprint, status, headers, body from answer where name = ? and key = ? and at_ms > ?")
      .get(name, key, Math.floor(this.#clock.now()) - KEPT_MS);
    if (row === undefined) return undefined;
    return {
      fingerprint: String(row.fingerprint),
      status: Number(row.status),
      headers: JSON.parse(String(row.headers)) as Record<string, string>,
      body: row.body === null ? undefined : String(row.body),
    };
  }

  keep(name: string, key: string, { fingerprint, status, headers, body = "" }: KeptAnswer): void {
    const { database } = this.#store;
    const nowMs = Math.floor(this.#clock.now());
    database
      .prepare(
        "insert or replace into answer (name, key, fingerprint, at_ms, status, headers, body) values (?, ?, ?, ?, ?, ?, ?)",
      )
      .run(name, key, fingerprint, nowMs, status, JSON.stringify(headers), body.length > MAX_BODY ? null : body);
    if (++this.#sincePruned < PRUNE_EVERY) return;
    this.#sincePruned = 0;
    database
      .prepare("delete from answer where at_ms <= ? or sequence <= (select max(sequence) from answer) - ?")
      .run(nowMs - KEPT_MS, MAX_ANSWERS);
  }

  /** Forgets those of a token that is gone: the next one of its name is somebody else. */
  forget(name: string): void {
    this.#store.database.prepare("delete from answer where name = ?").run(name);
  }
}
