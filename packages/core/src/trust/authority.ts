import { createHash, X509Certificate } from "node:crypto";
import type { Clock } from "../clock.ts";
import { coreError } from "../errors.ts";
import type { Credential } from "./issue.ts";

/*
 * The small authority of a node that listens for others. Whoever listens is the authority for its links: its own certificate and those
 * of all who dial it come from it, so no node has to know more than its neighbours.
 *
 * A1. Private keys never leave the node that made them.
 * A2. A change of the authority trusts the old one beside the new one until it is retired, so links can be made all the while.
 */

/** What is kept of it. */
export interface AuthorityRecord {
  /** The one that signs comes first; older ones are trusted, and sign no more. */
  readonly authorities: readonly Credential[];
  /** The node's own certificate as a server. */
  readonly server: Credential;
}

/** Where it is kept; whatever is put is durable when the call has returned. */
export interface AuthorityKeep {
  readonly record: AuthorityRecord | undefined;
  put(record: AuthorityRecord): void;
}

const DAY_MS = 24 * 3_600_000;
const AUTHORITY_DAYS = 3_650;
const CERTIFICATE_DAYS = 30;
/** Clocks of machines differ. */
const SKEW_MS = 5 * 60_000;

export class Authority {
  readonly #nodeId: string;
  readonly #clock: Clock;
  readonly #keep: AuthorityKeep;
  readonly #listeners = new Set<() => void>();
  #record: AuthorityRecord;

  private constructor(record: AuthorityRecord, parts: { nodeId: string; clock: Clock; keep: AuthorityKeep }) {
    this.#record = record;
    this.#nodeId = parts.nodeId;
    this.#clock = parts.clock;
    this.#keep = parts.keep;
  }

  /** The authority of a node, made at the first time. */
  static async open(nodeId: string, clock: Clock, keep: AuthorityKeep): Promise<Authority> {
    const parts = { nodeId, clock, keep };
    if (keep.record !== undefined) {
      const authority = new Authority(keep.record, parts);
      if (expiresMs(keep.record.server.cert) - clock.now() < (CERTIFICATE_DAYS / 3) * DAY_MS) await authority.renewServer();
      return authority;
    }
    const { makeAuthority } = await import("./issue.ts");
    const nowMs = clock.now();
    const made = await makeAuthority(`metanode ${nodeId}`, { fromMs: nowMs - SKEW_MS, untilMs: nowMs + AUTHORITY_DAYS * DAY_MS });
    const server = await issueServer(made, nodeId, nowMs);
    const record = { authorities: [made], server };
    keep.put(record);
    return new Authority(record, parts);
  }

  /** SHA-256 of the public key of the authority that signs, base64url: what a token names it by. */
  get fingerprint(): string {
    return fingerprintOf((this.#record.authorities[0] as Credential).cert);
  }

  /** Every authority that is trusted now, PEM. */
  get bundle(): string {
    return this.#record.authorities.map(({ cert }) => cert).join("\n");
  }

  /** The node's own certificate, with the authority that signed it, and its key. */
  get server(): Credential {
    const { server, authorities } = this.#record;
    return { cert: `${server.cert}\n${authorities[0]?.cert ?? ""}`, key: server.key };
  }

  /** Calls back after every change of what is trusted or shown. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A certificate for a node that dials this one; what it is called is not the node's to say. */
  async issue(id: string, publicKey: string): Promise<string> {
    const { makeCertificate } = await import("./issue.ts");
    const nowMs = this.#clock.now();
    const validity = { fromMs: nowMs - SKEW_MS, untilMs: nowMs + CERTIFICATE_DAYS * DAY_MS };
    return makeCertificate(this.#record.authorities[0] as Credential, { id, publicKey }, validity);
  }

  /**
   * Whose certificate this is.
   * @throws {MetanodeError} auth.unauthenticated – another authority's, expired, or not yet valid
   */
  verify(der: Uint8Array): string {
    const certificate = new X509Certificate(der);
    const isOurs = this.#record.authorities.some(({ cert }) => certificate.verify(new X509Certificate(cert).publicKey));
    if (!isOurs) throw refused("was not issued by this node");
    const nowMs = this.#clock.now();
    if (Date.parse(certificate.validFrom) > nowMs + SKEW_MS) throw refused("is not valid yet");
    if (Date.parse(certificate.validTo) < nowMs) throw refused("has expired");
    return /CN=(.+)/.exec(certificate.subject)?.[1] ?? "";
  }

  /** Begins with a new authority; the old one is trusted until {@link retire}. */
  async rotate(): Promise<void> {
    const { makeAuthority } = await import("./issue.ts");
    const nowMs = this.#clock.now();
    const made = await makeAuthority(`metanode ${this.#nodeId}`, {
      fromMs: nowMs - SKEW_MS,
      untilMs: nowMs + AUTHORITY_DAYS * DAY_MS,
    });
    // First it is trusted everywhere, then it signs: who renews now gets both.
    this.#put({ authorities: [made, ...this.#record.authorities], server: await issueServer(made, this.#nodeId, nowMs) });
  }

  /** Trusts the newest authority alone. */
  retire(): void {
    this.#put({ ...this.#record, authorities: this.#record.authorities.slice(0, 1) });
  }

  async renewServer(): Promise<void> {
    const [authority] = this.#record.authorities;
    this.#put({ ...this.#record, server: await issueServer(authority as Credential, this.#nodeId, this.#clock.now()) });
  }

  #put(record: AuthorityRecord): void {
    this.#keep.put(record);
    this.#record = record;
    for (const listener of this.#listeners) listener();
  }
}

async function issueServer(authority: Credential, nodeId: string, nowMs: number): Promise<Credential> {
  const { makeCertificate, makeKeys } = await import("./issue.ts");
  const { privateKey, publicKey } = await makeKeys();
  const validity = { fromMs: nowMs - SKEW_MS, untilMs: nowMs + CERTIFICATE_DAYS * DAY_MS };
  return { cert: await makeCertificate(authority, { id: nodeId, publicKey }, validity), key: privateKey };
}

function refused(why: string): Error {
  return coreError("auth.unauthenticated", `the certificate of the other node ${why}; come with a new token`);
}

/** When a certificate ends. */
export function expiresMs(pem: string): number {
  return Date.parse(new X509Certificate(pem).validTo);
}

/** SHA-256 of a certificate's public key, base64url. */
export function fingerprintOf(certificate: string | Uint8Array): string {
  const spki = new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(spki).digest("base64url");
}
