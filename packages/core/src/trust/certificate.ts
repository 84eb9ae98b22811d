import { createHash, X509Certificate } from "node:crypto";
import type { Clock } from "../clock.ts";

/*
 * What certificates say, without the library that makes them.
 */

/** What a certificate is good for. One of those who dial must never do for the one who listens: they all have the same authority. */
export type CertificateUse = "server" | "client";

/** @source RFC 5280, 4.2.1.12: id-kp-serverAuth and id-kp-clientAuth */
export const USE_IDS: Readonly<Record<CertificateUse, string>> = {
  server: "1.3.6.1.5.5.7.3.1",
  client: "1.3.6.1.5.5.7.3.2",
};

const URI_PREFIX = "metanode:node:";

/** Dates in certificates are those of the wall: other machines compare them with their own. */
export function wallMs(clock: Clock): number {
  return clock.wallNow?.() ?? clock.now();
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

/** Whether one certificate was signed with the key of the other. */
export function isSignedBy(certificate: X509Certificate, authority: string): boolean {
  return certificate.verify(new X509Certificate(authority).publicKey);
}

export function isFor(use: CertificateUse, certificate: X509Certificate): boolean {
  // Node calls the extended usages so.
  return !certificate.ca && (certificate.keyUsage ?? []).includes(USE_IDS[use]);
}

/** How a certificate names a node. Whatever an id holds, nothing in it can end the name and begin another. */
export function uriOf(id: string): string {
  return URI_PREFIX + encodeURIComponent(id).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
}

/** The node that a certificate names, if it names one and nothing else. */
export function idIn(certificate: X509Certificate): string | undefined {
  const [, name] = /^URI:metanode:node:([^,"\s]+)$/.exec(certificate.subjectAltName ?? "") ?? [];
  try {
    return name === undefined ? undefined : decodeURIComponent(name);
  } catch {
    return undefined;
  }
}
