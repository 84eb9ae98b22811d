import type { Clock, MetaNode } from "@metanode/core";
import { Audit } from "./audit.ts";
import { OpenAnswers } from "./open-answers.ts";
import { Replays } from "./replays.ts";
import { AccessStore } from "./store.ts";
import { Tokens } from "./tokens.ts";

/** Who may do what on a node, and who has done what. */
export interface Access {
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
}

/** @param folder The data folder. */
export function openAccess(folder: string, clock: Clock, { ownerToken, logger }: AccessOptions): Access {
  const store = new AccessStore(folder);
  const audit = new Audit(store, clock, { logger });
  const answers = new OpenAnswers(clock);
  const replays = new Replays(store, clock);
  const onRevoked = (name: string): void => {
    answers.end(name);
    replays.forget(name);
  };
  return {
    tokens: new Tokens(store, clock, { ownerToken, onRevoked }),
    audit,
    answers,
    replays,
    close: () => {
      audit.close();
      store.close();
    },
  };
}
