import type { Clock } from "@metanode/core";
import { Audit } from "./audit.ts";
import { AccessStore } from "./store.ts";
import { Tokens } from "./tokens.ts";

/** Who may do what on a node, and who has done what. */
export interface Access {
  readonly tokens: Tokens;
  readonly audit: Audit;
  /** Writes what waits and lets go of the file. */
  close(): void;
}

/** @param folder The data folder. @param ownerToken What the owner shows. */
export function openAccess(folder: string, clock: Clock, ownerToken: string): Access {
  const store = new AccessStore(folder);
  const audit = new Audit(store, clock);
  return {
    tokens: new Tokens(store, clock, ownerToken),
    audit,
    close: () => {
      audit.flush();
      store.close();
    },
  };
}
