import { X509Certificate } from "node:crypto";
import { connect, type DetailedPeerCertificate } from "node:tls";
import { coreError } from "../errors.ts";
import { fingerprintOf } from "./authority.ts";

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
  readonly fingerprint: string;
}

/**
 * Asks a node for the certificate of its authority, and believes it only if it is the one that the token names.
 * @throws {MetanodeError} auth.unauthenticated – it shows another; node.unreachable
 */
export function meet(address: string, { fingerprint }: Acquaintance, timeoutMs: number): Promise<Trust> {
  const at = address.lastIndexOf(":");
  const [host, port] = [address.slice(0, at), Number(address.slice(at + 1))];
  return new Promise((resolve, reject) => {
    // Nothing is said on this connection; what it shows is looked at below.
    const socket = connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ["h2"], timeout: timeoutMs }, () => {
      const bundle = authorityIn(socket.getPeerCertificate(true), fingerprint);
      socket.destroy();
      if (bundle !== undefined) resolve({ bundle });
      else reject(coreError("auth.unauthenticated", `${address} is not the node that made the token: its authority is another`));
    });
    const unreachable = (why: string): void => {
      socket.destroy();
      reject(coreError("node.unreachable", `${address} cannot be met: ${why}`));
    };
    socket.once("timeout", () => unreachable(`no answer within ${timeoutMs} ms`));
    socket.once("error", (error) => unreachable(error.message));
  });
}

/** The certificate in a chain whose key has the fingerprint, if it signed the one before it. */
function authorityIn(leaf: DetailedPeerCertificate, fingerprint: string): string | undefined {
  if (leaf.raw === undefined) return undefined;
  const own = new X509Certificate(leaf.raw);
  const issuer = leaf.issuerCertificate?.raw;
  if (issuer === undefined) return undefined;
  const authority = new X509Certificate(issuer);
  return fingerprintOf(issuer) === fingerprint && own.verify(authority.publicKey) ? authority.toString() : undefined;
}
