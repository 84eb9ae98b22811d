/** What the HTTP API answers with about who may do what, as far as the command line reads it. */

/** Who asks. */
export interface WhoView {
  readonly name: string;
  readonly role: string;
}

/** A token, without its text. */
export interface TokenView extends WhoView {
  readonly createdAt: string;
  readonly expiresAt?: string;
  readonly lastUsedAt?: string;
}

/** A token that was just made. */
export interface NewTokenView extends TokenView {
  readonly token: string;
}

/** A change of the node, or an attempt at it. */
export interface AuditView extends WhoView {
  readonly sequence: number;
  readonly at: string;
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly code?: string;
  readonly reason?: string;
  readonly requestId: string;
}
