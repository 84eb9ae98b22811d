import { X509Certificate } from "node:crypto";
import { type ConnectionOptions, connect, type DetailedPeerCertificate } from "node:tls";
import { coreError } from "../errors.ts";
import { fingerprintOf, isFor } from "./certificate.ts";

/** How to know a node again that was met, and to be known by it. */
export interface Trust {
  /** Its authorities, PEM. */
  readonly bundle: string;
  /** The certificate that it issued, and its key; absent until it has. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** A token names the authority of a node; this is what is known before it is met. */
export interface Acquaintance {
  /** SHA-256 of the authority's public key, base64url; of several, separated by dots, any one will do. */
  readonly fingerprint: string;
}

/**
 * Asks a node for the certificate of its authority, and believes it only if it is the one that the token names.
 * @throws {MetanodeError} auth.unauthenticated – it shows another; node.unreachable
 */
export function meet(address: string, { fingerprint }: Acquaintance, timeoutMs: number): Promise<Trust> {
  return new Promise((resolve, reject) => {
    // Nothing is said on this connection; what it shows is looked at below.
    const options = { ...placeOf(address), rejectUnauthorized: false, ALPNProtocols: ["h2"], timeout: timeoutMs };
    const socket = connect(options, () => {
      const found = authorityIn(socket.getPeerCertificate(true), fingerprint.split("."));
      socket.destroy();
      if ("bundle" in found) resolve(found);
      else
        reject(
          coreError("auth.unauthenticated", `${address} is not the node that made the token: ${found.why}; ask for a new one`),
        );
    });
    const unreachable = (why: string): void => {
      socket.destroy();
      reject(coreError("node.unreachable", `${address} cannot be met: ${why}`));
    };
    socket.once("timeout", () => unreachable(`no answer within ${timeoutMs} ms`));
    socket.once("error", (error) => unreachable(error.message));
  });
}

function placeOf(address: string): ConnectionOptions {
  if (address.startsWith("unix:")) return { path: address.slice("unix:".length) };
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|(.+)):(\d+)$/.exec(address) ?? [];
  return { host: bracketed ?? plain ?? address, port: Number(port) };
}

/** The authority of a chain whose key has one of the fingerprints, if it signed the certificate of whoever shows it, to listen with. */
function authorityIn(leaf: DetailedPeerCertificate, fingerprints: readonly string[]): { bundle: string } | { why: string } {
  const issuer = leaf.issuerCertificate?.raw;
  if (leaf.raw === undefined || issuer === undefined) return { why: "it shows no authority" };
  const own = new X509Certificate(leaf.raw);
  const authority = new X509Certificate(issuer);
  if (!fingerprints.includes(fingerprintOf(issuer)) || !own.verify(authority.publicKey))
    return { why: "its authority is another" };
  // Every neighbour of that node has a certificate of its authority, and must not get the token.
  return isFor("server", own) ? { bundle: authority.toString() } : { why: "its certificate is one for those who dial" };
}
