import { X509Certificate } from "node:crypto";
import type { Clock, Timer } from "../clock.ts";
import { coreError } from "../errors.ts";
import { expiresMs, fingerprintOf, idIn, isFor, isSignedBy, wallMs } from "./certificate.ts";
import type { Credential } from "./issue.ts";

/*
 * The small authority of a node that listens for others. Whoever listens is the authority for its links: its own certificate and those
 * of all who dial it come from it, so no node has to know more than its neighbours.
 *
 * A1. Private keys never leave the node that made them.
 * A2. From a change of the authority until the old one is retired both are trusted, and the node shows a certificate of the old one: who
 *     knows only the old one can dial all the while, and so can who has heard of the new one.
 * A3. A certificate of those who dial is of no use to listen with, or any neighbour could pose as this node.
 * A4. The node's own certificate is renewed long before it ends, as long as the authority is open.
 */

/** What is kept of it. */
export interface AuthorityRecord {
  /** The one that signs comes first; older ones are trusted, and sign no more. */
  readonly authorities: readonly Credential[];
  /** The node's own certificate as a server. */
  readonly server: Credential;
  /** What it will be once the old authorities are retired. */
  readonly next?: Credential;
}

/** Where it is kept; whatever is put is durable when the call has returned. */
export interface AuthorityKeep {
  readonly record: AuthorityRecord | undefined;
  put(record: AuthorityRecord): void;
  /** A renewal by itself went wrong; it is tried again within the hour. */
  onFailure?(error: Error): void;
}

interface AuthorityParts {
  readonly nodeId: string;
  readonly clock: Clock;
  readonly keep: AuthorityKeep;
}

const DAY_MS = 24 * 3_600_000;
const AUTHORITY_DAYS = 3_650;
const CERTIFICATE_DAYS = 30;
/** The node's own certificate is renewed when less than this is left of it. */
const RENEW_MS = (CERTIFICATE_DAYS / 3) * DAY_MS;
/** How often that is looked at: the clock on the wall may be set, so one long timer would be late. */
const LOOK_MS = DAY_MS / 24;
/** Clocks of machines differ. */
const SKEW_MS = 5 * 60_000;

export class Authority {
  readonly #parts: AuthorityParts;
  readonly #listeners = new Set<() => void>();
  #record: AuthorityRecord;
  #timer: Timer | undefined;
  #isClosed = false;

  private constructor(record: AuthorityRecord, parts: AuthorityParts) {
    this.#record = record;
    this.#parts = parts;
    this.#look();
  }

  /** The authority of a node, made at the first time. It is to be closed. */
  static async open(nodeId: string, clock: Clock, keep: AuthorityKeep): Promise<Authority> {
    const parts = { nodeId, clock, keep };
    let { record } = keep;
    if (record === undefined) {
      const made = await newAuthority(parts);
      record = { authorities: [made], server: await issueServer(made, parts) };
      keep.put(record);
    }
    const authority = new Authority(record, parts);
    if (authority.#isDue()) await authority.renewServer();
    return authority;
  }

  /**
   * What a token names the authority by: SHA-256 of its public key, base64url; until the old ones are retired theirs as well, separated
   * by dots, so that a token outlives the change.
   */
  get fingerprint(): string {
    return this.#record.authorities.map(({ cert }) => fingerprintOf(cert)).join(".");
  }

  /** Every authority that is trusted now, PEM. */
  get bundle(): string {
    return this.#record.authorities.map(({ cert }) => cert).join("\n");
  }

  /** The node's own certificate, with the authority that signed it, and its key. */
  get server(): Credential {
    const { server } = this.#record;
    return { cert: `${server.cert}\n${this.#signerOf(server)?.cert ?? ""}`, key: server.key };
  }

  /** Calls back after every change of what is trusted or shown. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A certificate for a node that dials this one; what it is called is not the node's to say. */
  async issue(id: string, publicKey: string): Promise<string> {
    const { makeCertificate } = await import("./issue.ts");
    return makeCertificate(this.#newest, { id, publicKey, use: "client" }, validity(this.#parts.clock, CERTIFICATE_DAYS));
  }

  /**
   * Whose certificate this is.
   * @throws {MetanodeError} auth.unauthenticated – unreadable, another authority's, expired, not yet valid, or not for those who dial
   */
  verify(der: Uint8Array): string {
    const certificate = read(der);
    if (!this.#record.authorities.some(({ cert }) => isSignedBy(certificate, cert))) throw refused("was not issued by this node");
    const nowMs = wallMs(this.#parts.clock);
    if (Date.parse(certificate.validFrom) > nowMs + SKEW_MS) throw refused(`is not valid before ${certificate.validFrom}`);
    if (Date.parse(certificate.validTo) < nowMs) throw refused(`has expired: it was valid until ${certificate.validTo}`);
    if (!isFor("client", certificate)) throw refused("is not one for those who dial");
    const id = idIn(certificate);
    if (id === undefined) throw refused("names no node");
    return id;
  }

  /** Whether a certificate of this node is one of an authority that is to be retired: whoever shows it needs a new one. */
  isOutdated(der: Uint8Array): boolean {
    return !isSignedBy(read(der), this.#newest.cert);
  }

  /** Begins with a new authority; the old one is trusted, and what it signed is shown, until {@link retire}. */
  async rotate(): Promise<void> {
    const made = await newAuthority(this.#parts);
    const next = await issueServer(made, this.#parts);
    // Read only now: another change may have come between.
    const { authorities, server } = this.#record;
    this.#put({ authorities: [made, ...authorities], server, next });
  }

  /** Trusts the newest authority alone, and shows what it signed. Does nothing if there is no other. */
  retire(): void {
    const { authorities, server, next = server } = this.#record;
    if (authorities.length > 1) this.#put({ authorities: authorities.slice(0, 1), server: next });
  }

  /** Makes a new certificate for the node itself, and tells whoever listens to changes. */
  async renewServer(): Promise<void> {
    const before = this.#record;
    const signer = this.#signerOf(before.server) ?? this.#newest;
    const server = await issueServer(signer, this.#parts);
    const next = before.next === undefined ? undefined : await issueServer(this.#newest, this.#parts);
    // Otherwise it may be signed by one that was retired meanwhile; whether it is still due is looked at again.
    if (this.#record === before) this.#put({ ...before, server, ...(next === undefined ? {} : { next }) });
  }

  /** Renews nothing by itself any more. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  get #newest(): Credential {
    return this.#record.authorities[0] as Credential;
  }

  #signerOf({ cert }: Credential): Credential | undefined {
    const certificate = new X509Certificate(cert);
    return this.#record.authorities.find((authority) => isSignedBy(certificate, authority.cert));
  }

  #isDue(): boolean {
    return expiresMs(this.#record.server.cert) - wallMs(this.#parts.clock) < RENEW_MS;
  }

  #look(): void {
    if (this.#isClosed) return;
    this.#timer = this.#parts.clock.setTimer(LOOK_MS, () => {
      if (this.#isDue()) this.renewServer().catch((error: Error) => this.#parts.keep.onFailure?.(error));
      this.#look();
    });
  }

  #put(record: AuthorityRecord): void {
    this.#parts.keep.put(record);
    this.#record = record;
    for (const listener of this.#listeners) listener();
  }
}

async function newAuthority({ nodeId, clock }: AuthorityParts): Promise<Credential> {
  const { makeAuthority } = await import("./issue.ts");
  return makeAuthority(`metanode ${nodeId}`, validity(clock, AUTHORITY_DAYS));
}

async function issueServer(authority: Credential, { nodeId, clock }: AuthorityParts): Promise<Credential> {
  const { makeCertificate, makeKeys } = await import("./issue.ts");
  const { privateKey, publicKey } = await makeKeys();
  const node = { id: nodeId, publicKey, use: "server" } as const;
  return { cert: await makeCertificate(authority, node, validity(clock, CERTIFICATE_DAYS)), key: privateKey };
}

function validity(clock: Clock, days: number): { fromMs: number; untilMs: number } {
  const nowMs = wallMs(clock);
  return { fromMs: nowMs - SKEW_MS, untilMs: nowMs + days * DAY_MS };
}

function read(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch {
    throw refused("cannot be read");
  }
}

function refused(why: string): Error {
  return coreError("auth.unauthenticated", `the certificate of the other node ${why}; come with a new token`);
}
