import type { TLSSocket, Server as TlsServer } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import type { Shown } from "./channel.ts";

/*
 * TLS below gRPC. Which certificates there are, and whom they name, is not the link's to know.
 */

/** How a server shows itself, and whom it believes; both may change while it runs. */
export interface ServerTls {
  readonly server: { readonly cert: string; readonly key: string };
  readonly bundle: string;
  onChange(listener: () => void): () => void;
}

/** How a dialler knows the server, and shows itself. */
export interface ClientTls {
  readonly bundle: string;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/**
 * Certificates that can be replaced while the server runs; a client need not show one, and what it shows is
 * for the owner of the channel to verify.
 */
export function serverCredentials(tls: ServerTls): grpc.ServerCredentials {
  const stops = new Map<unknown, () => void>();
  const follow = (listener: unknown, tell: () => void): void => {
    stops.set(listener, tls.onChange(tell));
    queueMicrotask(tell); // the server listens to what changes only after this
  };
  const forget = (listener: unknown): void => {
    stops.get(listener)?.();
    stops.delete(listener);
  };
  const provider: grpc.experimental.CertificateProvider = {
    addCaCertificateListener: (listener) => follow(listener, () => listener({ caCertificate: Buffer.from(tls.bundle) })),
    removeCaCertificateListener: forget,
    addIdentityCertificateListener: (listener) =>
      follow(listener, () => listener({ certificate: Buffer.from(tls.server.cert), privateKey: Buffer.from(tls.server.key) })),
    removeIdentityCertificateListener: forget,
  };
  return grpc.experimental.createCertificateProviderServerCredentials(provider, provider, false);
}

/** A node is known by its authority, not by the name of the machine that it is on. */
export function clientCredentials(tls: ClientTls | undefined): grpc.ChannelCredentials {
  if (tls === undefined) return grpc.credentials.createInsecure();
  const own = tls.cert !== undefined && tls.key !== undefined;
  return grpc.credentials.createSsl(
    Buffer.from(tls.bundle),
    own ? Buffer.from(tls.key ?? "") : null,
    own ? Buffer.from(tls.cert ?? "") : null,
    { checkServerIdentity: () => undefined },
  );
}

/** What grpc-js has below a call, and does not say in its types. */
interface OverSocket {
  readonly call?: { readonly stream?: { readonly session?: { readonly socket?: Partial<TLSSocket> } } };
}

/**
 * What the other side of a call shows. grpc-js tells of a certificate only if TLS could verify it; one that it could not must be seen
 * as well, or whoever shows another authority's would pass for somebody who shows none.
 */
export function shownBy(call: Pick<grpc.ServerDuplexStream<Buffer, Buffer>, "getAuthContext">): Shown {
  const socket = (call as OverSocket).call?.stream?.session?.socket;
  const peer = socket?.getPeerCertificate?.() ?? call.getAuthContext()?.sslPeerCertificate;
  return { certificate: peer?.raw };
}

/** The listeners of a server, which grpc-js keeps to itself. */
export function listenersOf(server: grpc.Server): TlsServer[] {
  const { http2Servers } = server as unknown as { readonly http2Servers?: ReadonlyMap<TlsServer, unknown> };
  return [...(http2Servers?.keys() ?? [])];
}

/** Counts connections on which TLS could not begin; grpc-js drops them in silence. */
export function countFailures(server: grpc.Server): () => number {
  let failures = 0;
  for (const listener of listenersOf(server)) listener.on("tlsClientError", () => failures++);
  return () => failures;
}

/** Whether others than this machine can dial an address, so that a link there needs certificates. In doubt it does. */
export function requiresTls(address: string): boolean {
  return !address.startsWith("unix:") && !/^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+$/.test(address);
}
