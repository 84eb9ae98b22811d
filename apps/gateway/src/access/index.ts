import type { Clock, MetaNode } from "@metanode/core";
import { Audit } from "./audit.ts";
import { isJwt, Oidc, type OidcOptions } from "./oidc.ts";
import { OpenAnswers } from "./open-answers.ts";
import { Replays } from "./replays.ts";
import type { Identity } from "./roles.ts";
import { AccessStore } from "./store.ts";
import { Tokens } from "./tokens.ts";

/** Who may do what on a node, and who has done what. */
export interface Access {
  /** Whose token it is; undefined if it is nobody's, or not any more. @throws what {@link Oidc.identify} does */
  identify(token: string): Identity | undefined | Promise<Identity | undefined>;
  readonly tokens: Tokens;
  readonly audit: Audit;
  readonly answers: OpenAnswers;
  readonly replays: Replays;
  /** Writes what waits and lets go of the file. */
  close(): void;
}

export interface AccessOptions {
  /** What the owner shows. */
  readonly ownerToken: string;
  readonly logger: MetaNode["logger"];
  /** Who else vouches for people. @default nobody */
  readonly oidc?: OidcOptions | undefined;
}

/** @param folder The data folder. */
export function openAccess(folder: string, clock: Clock, { ownerToken, logger, oidc }: AccessOptions): Access {
  const store = new AccessStore(folder);
  const audit = new Audit(store, clock, { logger });
  const answers = new OpenAnswers(clock);
  const replays = new Replays(store, clock);
  const onRevoked = (name: string): void => {
    answers.end(name);
    replays.forget(name);
  };
  const tokens = new Tokens(store, clock, { ownerToken, onRevoked });
  const issuer = oidc === undefined ? undefined : new Oidc(oidc, clock);
  return {
    identify: (token) => tokens.identify(token) ?? (issuer !== undefined && isJwt(token) ? issuer.identify(token) : undefined),
    tokens,
    audit,
    answers,
    replays,
    close: () => {
      audit.close();
      store.close();
    },
  };
}
