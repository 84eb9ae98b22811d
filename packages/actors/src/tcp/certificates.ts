import { createSecureContext, type SecureContext } from "node:tls";
import { actorError } from "../errors.ts";
import { knownOptions } from "../splitting/splitting.ts";

type Pem = string | Uint8Array;

/** Keys and certificates, as PEM. */
export interface CertificateOptions {
  /** The own certificate, followed by those between it and its root. */
  cert?: Pem;
  /** The key of `cert`. */
  key?: Pem;
  /** Of an encrypted `key`. */
  passphrase?: string;
  /** Whom to trust. @default the authorities that Node knows */
  ca?: Pem | readonly Pem[];
}

/** What a listener is told: the new PEMs, which have been checked. */
type OnReplace = (options: CertificateOptions) => void;

/** Certificates that can be replaced while servers use them. */
export class Certificates {
  #options: CertificateOptions;
  #context: SecureContext;
  readonly #users = new Set<OnReplace>();

  constructor(options: CertificateOptions) {
    this.#context = contextOf(options);
    this.#options = options;
  }

  /** What new connections of a client use. */
  get context(): SecureContext {
    return this.#context;
  }

  /**
   * Uses these from now on: every server that was opened with this object shows them to whoever connects next. Connections
   * that stand go on as they are.
   * @throws actor.incorrect – they are no certificates, or do not belong together; those from before stay
   */
  replace(options: CertificateOptions): void {
    this.#context = contextOf(options);
    this.#options = options;
    for (const onReplace of this.#users) onReplace(options);
  }

  /** For a server: gives what it begins with, and calls `onReplace` until `stop`. */
  static follow(certificates: Certificates, onReplace: OnReplace): { options: CertificateOptions; stop: () => void } {
    certificates.#users.add(onReplace);
    return { options: certificates.#options, stop: () => certificates.#users.delete(onReplace) };
  }
}

/**
 * Builds certificates out of PEMs.
 * @throws actor.incorrect – they are no certificates, or do not belong together
 */
export function createCertificates(options: CertificateOptions): Certificates {
  return new Certificates(options);
}

function contextOf(options: CertificateOptions): SecureContext {
  knownOptions("certificates", options, ["cert", "key", "passphrase", "ca"] satisfies (keyof CertificateOptions)[]);
  try {
    return createSecureContext(options as Parameters<typeof createSecureContext>[0]);
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw actorError("actor.incorrect", `the certificates cannot be used (${text}); expected PEMs that belong together`, {
      cause,
    });
  }
}
