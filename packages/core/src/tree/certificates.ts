import { coreError } from "../errors.ts";
import { Authority, type AuthorityRecord } from "../trust/authority.ts";
import { expiresMs, wallMs } from "../trust/certificate.ts";
import type { Trust } from "../trust/meet.ts";
import type { TreeMeans } from "./means.ts";
import { type NodeLink, STEP } from "./node-link.ts";
import type { Dial } from "./ownership.ts";

/*
 * Certificates of links.
 *
 * E1. A node that has shown its certificate once is not let in without it, whatever key it has; one that shows another authority's, or
 *     that of another node, is not let in at all. (Not from the issue on: the certificate may never have arrived.)
 * E2. A certificate is renewed over the link that stands, long before it ends, and whenever the other side says so; no link ends for it. Who was
 *     away when the authority changed is told with its next link.
 */

const AUTHORITY = "authority";
const SHOWN = "shown/";
/** A certificate is renewed when less than this is left of it. */
const RENEW_MS = 10 * 24 * 3_600_000;

/** A public key that wants a certificate, and the certificate with all authorities that are trusted. */
interface EnrolStep {
  readonly publicKey: string;
}
interface Enrolled {
  readonly certificate: string;
  readonly bundle: string;
}

export class Certificates {
  readonly #means: TreeMeans;
  readonly #shown = new Set<string>();
  #record: AuthorityRecord | undefined;
  #authority: Authority | undefined;

  constructor(means: TreeMeans, records: ReadonlyMap<string, unknown>) {
    this.#means = means;
    this.#record = records.get(AUTHORITY) as AuthorityRecord | undefined;
    for (const key of records.keys()) if (key.startsWith(SHOWN)) this.#shown.add(key.slice(SHOWN.length));
  }

  /** Of this node, once it listens with certificates. */
  get authority(): Authority | undefined {
    return this.#authority;
  }

  async open(): Promise<Authority> {
    const { identity, clock, store, report } = this.#means;
    const keep = {
      record: this.#record,
      put: (record: AuthorityRecord) => store.put(AUTHORITY, record),
      onFailure: ({ message }: Error) => {
        const text = `the node's own certificate could not be renewed, which is tried again within the hour: ${message}`;
        report({ kind: "refused", node: identity.id, path: "", epoch: 0, text });
      },
    };
    this.#authority ??= await Authority.open(identity.id, clock, keep);
    return this.#authority;
  }

  /** Whether a visitor is whom it says it is. @throws {MetanodeError} auth.unauthenticated */
  check(id: string, certificate: Uint8Array | undefined, isNew: boolean): void {
    if (this.#authority === undefined) return;
    if (certificate !== undefined) {
      const shown = this.#authority.verify(certificate);
      if (shown !== id)
        throw coreError("auth.unauthenticated", `the certificate is that of ${shown}, and the visitor says it is ${id}`);
      if (this.#shown.has(id)) return;
      this.#means.store.put(SHOWN + id, true);
      this.#shown.add(id);
    } else if (!isNew && this.#shown.has(id)) {
      throw coreError("auth.unauthenticated", "the visitor has a certificate of this node and does not show it");
    }
  }

  /** Whether a visitor that was let in should come for a new certificate. */
  isOutdated(certificate: Uint8Array | undefined): boolean {
    return certificate !== undefined && (this.#authority?.isOutdated(certificate) ?? false);
  }

  close(): void {
    this.#authority?.close();
  }

  /** The other side of a link asks for a certificate. @throws {MetanodeError} auth.denied, call.unsupported */
  async issue(link: NodeLink, { publicKey }: EnrolStep): Promise<Enrolled> {
    if (this.#authority === undefined)
      throw coreError("call.unsupported", "this node has plain links, so it issues no certificates");
    if (!link.isEstablished) throw coreError("auth.denied", "certificates are for nodes that were adopted");
    return { certificate: await this.#authority.issue(link.peer.id, publicKey), bundle: this.#authority.bundle };
  }

  /** Gets a certificate over a link that was dialled from here, if there is need; gives how to dial from now on. */
  async enrol(link: NodeLink, dial: Dial, isForced = false): Promise<Dial | undefined> {
    const trust = link.trust;
    if (trust === undefined) return undefined; // a plain link
    const { clock } = this.#means;
    if (!isForced && trust.cert !== undefined && expiresMs(trust.cert) - wallMs(clock) > RENEW_MS) return undefined;
    const { makeKeys } = await import("../trust/issue.ts");
    const { privateKey, publicKey } = await makeKeys();
    const { certificate, bundle } = (await link.request(STEP.enrol, { publicKey } satisfies EnrolStep)) as Enrolled;
    const next: Trust = { bundle, cert: certificate, key: privateKey };
    link.trust = next;
    return { ...dial, trust: next };
  }
}
