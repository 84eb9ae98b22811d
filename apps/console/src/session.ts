import { useSyncExternalStore } from "react";

/** Where the browser keeps the token: this origin alone can read it. */
const KEY = "metanode.token";
const listeners = new Set<() => void>();

/** Takes the token out of an address like `/console/#token=…`, which `metanode` prints, so that it does not stay there. */
export function takeTokenFromAddress(): void {
  const found = /(?:^#|&)token=([^&]+)/.exec(location.hash)?.[1];
  if (found === undefined) return;
  setToken(decodeURIComponent(found));
  history.replaceState(history.state, "", location.pathname + location.search);
}

export function tokenOf(): string | undefined {
  return localStorage.getItem(KEY) ?? undefined;
}

/** Signs in with a token, or out without one. */
export function setToken(token: string | undefined): void {
  if (token === undefined) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, token);
  for (const listener of listeners) listener();
}

/** Whether there is a token; a component that asks is drawn anew when that changes, also from another tab. */
export function useToken(): string | undefined {
  return useSyncExternalStore(onSignedChange, tokenOf);
}

/** Calls back when somebody has signed in or out, also in another tab. */
export function onSignedChange(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener("storage", listener);
  return () => {
    listeners.delete(listener);
    removeEventListener("storage", listener);
  };
}
