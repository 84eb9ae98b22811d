import "reflect-metadata"; // what the library below is built on wants it first
import { randomBytes, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { type CertificateUse, USE_IDS, uriOf } from "./certificate.ts";

/*
 * Makes keys and certificates. Loaded only where one is made: a node that has its certificates never does.
 */

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A certificate with its key, both PEM. */
export interface Credential {
  readonly cert: string;
  readonly key: string;
}

/** From when to when, in milliseconds since the Unix epoch. */
export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

x509.cryptoProvider.set(webcrypto as never);

/** A new key pair: the private key PKCS #8, the public one SPKI, both PEM. */
export async function makeKeys(): Promise<{ privateKey: string; publicKey: string }> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const [priv, pub] = await Promise.all([
    webcrypto.subtle.exportKey("pkcs8", keys.privateKey),
    webcrypto.subtle.exportKey("spki", keys.publicKey),
  ]);
  return { privateKey: x509.PemConverter.encode(priv, "PRIVATE KEY"), publicKey: x509.PemConverter.encode(pub, "PUBLIC KEY") };
}

/**
 * A certificate that signs others, and no further authorities. No two have the same name, whatever `name` is: TLS looks for the one
 * that signed a certificate by its name, and would try the wrong one while two are trusted.
 */
export async function makeAuthority(name: string, validity: Validity): Promise<Credential> {
  const { privateKey, publicKey } = await makeKeys();
  const keys = { privateKey: await readPrivate(privateKey), publicKey: await readPublic(publicKey) };
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: [`${name} ${randomBytes(8).toString("hex")}`] }],
    ...datesOf(validity),
    signingAlgorithm: ALGORITHM,
    keys: keys as never,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  return { cert: certificate.toString("pem"), key: privateKey };
}

/** A certificate for a node's key, good for one end of a link. Its name is the authority's to say. */
export async function makeCertificate(
  authority: Credential,
  node: { id: string; publicKey: string; use: CertificateUse },
  validity: Validity,
): Promise<string> {
  const issuer = new x509.X509Certificate(authority.cert);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    // Not the id itself: the library takes one that begins with # for encoded bytes.
    subject: [{ CN: [uriOf(node.id)] }],
    issuer: issuer.subject,
    ...datesOf(validity),
    signingAlgorithm: ALGORITHM,
    publicKey: (await readPublic(node.publicKey)) as never,
    signingKey: (await readPrivate(authority.key)) as never,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.ExtendedKeyUsageExtension([USE_IDS[node.use]]),
      new x509.SubjectAlternativeNameExtension([{ type: "url", value: uriOf(node.id) }]),
    ],
  });
  return certificate.toString("pem");
}

function datesOf({ fromMs, untilMs }: Validity): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(fromMs), notAfter: new Date(untilMs) };
}

/** Positive, and random, so that no two are the same. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x01;
  return bytes.toString("hex");
}

function readPrivate(pem: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey("pkcs8", x509.PemConverter.decodeFirst(pem), ALGORITHM, true, ["sign"]);
}

function readPublic(pem: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey("spki", x509.PemConverter.decodeFirst(pem), ALGORITHM, true, ["verify"]);
}
