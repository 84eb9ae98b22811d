import { createHash } from "node:crypto";
import { type Clock, coreError } from "@metanode/core";
import type { JWTVerifyGetKey } from "jose";
import { type Identity, ROLES, type Role } from "./roles.ts";

/** Who vouches for people besides this node. */
export interface OidcOptions {
  /** As it stands in the claim `iss`. */
  readonly issuer: string;
  /** What must be in the claim `aud`. */
  readonly audience: string;
  /** The claim that names the role, or several: a name, or the way to it with dots. */
  readonly rolesClaim: string;
  /** Roles by what that claim says, where it has words of its own. @default the roles' own names */
  readonly roles?: Readonly<Record<string, Role>>;
}

/** How long a token that was verified is taken as such: so long a key that its issuer took back still counts here. */
const VERIFIED_MS = 60_000;
const MAX_VERIFIED = 1_000;
/** How long an issuer that did not answer is left alone: whoever sends nonsense is not to make us ask it again and again. */
const PAUSE_MS = 5_000;
const DISCOVERY_TIMEOUT_MS = 5_000;
/** How far the clocks of issuer and node may be apart. */
const TOLERANCE_S = 5;
/** None with a shared secret, and not `none`. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"];

/** Whether an issuer is asked there: in the open only on this machine. */
export function isTrustedUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null) return false;
  const isHere = ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname);
  return url.protocol === "https:" || (url.protocol === "http:" && isHere);
}

/** Whether a bearer token has the form of a JWT. */
export function isJwt(token: string): boolean {
  return /^ey[\w-]*\.[\w-]+\.[\w-]+$/.test(token);
}

/**
 * People whom an OpenID Connect issuer vouches for, by access tokens in the form of JWTs. Their names begin with `oidc:`, which
 * no other token's does. The issuer's keys are found by discovery, and kept as long as they serve.
 */
export class Oidc {
  readonly #options: OidcOptions;
  readonly #clock: Clock;
  readonly #verified = new Map<string, { readonly identity: Identity; readonly untilMs: number }>();
  #keys: Promise<JWTVerifyGetKey> | undefined;
  #pausedUntilMs = 0;

  constructor(options: OidcOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /**
   * Whose token it is; undefined if the issuer does not vouch for it, or for another audience, or no longer.
   * @throws {MetanodeError} auth.denied – it does, and names no role; node.unreachable – its keys cannot be had
   */
  async identify(token: string): Promise<Identity | undefined> {
    const digest = createHash("sha256").update(token).digest("base64");
    const known = this.#verified.get(digest);
    if (known !== undefined && known.untilMs > this.#nowMs()) return known.identity;
    this.#verified.delete(digest);
    const claims = await this.#verify(token);
    if (claims === undefined) return undefined;
    const { sub, exp = 0 } = claims;
    if (typeof sub !== "string" || sub === "" || sub.length > 255) return undefined;
    const name = `oidc:${sub.toWellFormed().replace(/[^\x21-\x24\x26-\x7e]/gu, encodeURIComponent)}`;
    const identity = { name, role: this.#roleOf(claims, name), expiresMs: exp * 1_000 };
    if (this.#verified.size >= MAX_VERIFIED) this.#verified.clear();
    this.#verified.set(digest, { identity, untilMs: Math.min(identity.expiresMs, this.#nowMs() + VERIFIED_MS) });
    return identity;
  }

  async #verify(token: string): Promise<(Record<string, unknown> & { exp?: number }) | undefined> {
    const { decodeJwt, errors, jwtVerify } = await import("jose");
    const { issuer, audience } = this.#options;
    try {
      // What is not even said to be the issuer's is no reason to ask it.
      if (decodeJwt(token).iss !== issuer) return undefined;
      const { payload } = await jwtVerify(token, await this.#keysOf(), {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        requiredClaims: ["sub", "exp"],
        clockTolerance: TOLERANCE_S,
        currentDate: new Date(this.#nowMs()),
      });
      return payload;
    } catch (error) {
      const { code } = error as { code?: unknown };
      const isTheirs = error instanceof errors.JOSEError && code !== "ERR_JWKS_TIMEOUT" && code !== "ERR_JOSE_GENERIC";
      if (isTheirs) return undefined;
      throw this.#unreachable(error);
    }
  }

  async #keysOf(): Promise<JWTVerifyGetKey> {
    if (this.#pausedUntilMs > this.#nowMs()) throw mute("it did not answer a moment ago");
    this.#keys ??= this.#discover();
    return this.#keys;
  }

  async #discover(): Promise<JWTVerifyGetKey> {
    const { createRemoteJWKSet } = await import("jose");
    const { issuer } = this.#options;
    const response = await fetch(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, {
      redirect: "error",
      signal: AbortSignal.timeout(DISCOVERY_TIMEOUT_MS),
    });
    if (!response.ok) throw mute(`its discovery answers ${response.status}`);
    const found = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown };
    if (found.issuer !== issuer) throw mute(`its discovery speaks for ${String(found.issuer)}`);
    if (typeof found.jwks_uri !== "string" || !isTrustedUrl(found.jwks_uri)) {
      throw mute(`its keys are at ${String(found.jwks_uri)}, expected https, or http on this machine`);
    }
    return createRemoteJWKSet(new URL(found.jwks_uri));
  }

  #unreachable(cause: unknown): Error {
    const nowMs = this.#nowMs();
    if (this.#pausedUntilMs <= nowMs) {
      this.#pausedUntilMs = nowMs + PAUSE_MS;
      this.#keys = undefined;
    }
    return coreError(
      "node.unreachable",
      `the keys of ${this.#options.issuer} cannot be had: ${(cause as Error).message}; try again, or use a token of this node`,
      { cause, retryAfterMs: this.#pausedUntilMs - nowMs },
    );
  }

  #roleOf(claims: Record<string, unknown>, name: string): Role {
    const { rolesClaim, roles = {} } = this.#options;
    const path = Object.hasOwn(claims, rolesClaim) ? [rolesClaim] : rolesClaim.split(".");
    const found = path.reduce<unknown>((at, key) => ownValue(at, key), claims);
    const said: readonly unknown[] = Array.isArray(found) ? found : [found];
    const isMapped = Object.keys(roles).length > 0;
    const named = isMapped ? said.map((one) => (typeof one === "string" ? ownValue(roles, one) : undefined)) : said;
    const role = ROLES.findLast((one) => named.includes(one));
    if (role !== undefined) return role;
    const expected = (isMapped ? Object.keys(roles) : ROLES).join(", ");
    throw coreError("auth.denied", `the token of ${name} names no role in ${rolesClaim}; expected ${expected}`, {
      details: { claim: rolesClaim },
    });
  }

  #nowMs(): number {
    return this.#clock.wallNow?.() ?? this.#clock.now();
  }
}

function ownValue(at: unknown, key: string): unknown {
  return typeof at === "object" && at !== null && Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : undefined;
}

/** Why an issuer's keys cannot be had. */
function mute(why: string): Error {
  return coreError("node.unreachable", why);
}
