import { type ApiError, type components, createClient } from "@metanode/client";
import { QueryClient } from "@tanstack/react-query";
import { onSignedChange, setToken, tokenOf } from "./session.ts";

/** The node that this page came from. A token that it does not know (any more) leads back to the sign-in. */
export const api = createClient({
  url: "",
  token: tokenOf,
  fetch: async (request) => {
    const response = await fetch(request);
    if (response.status === 401 && tokenOf() !== undefined) setToken(undefined);
    return response;
  },
});

/** The bodies of the API by name. */
export type Views = components["schemas"];

/** How often what is on the screen is asked again while the page is visible, in milliseconds. */
export const REFRESH_MS = 2_000;

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // A refusal stays one; what may pass is tried again, and shown meanwhile.
      retry: (count, error) => count < 2 && ((error as Partial<ApiError>).isRetryable ?? false),
      refetchInterval: REFRESH_MS,
      refetchOnWindowFocus: true,
      staleTime: 500,
    },
  },
});

// What one person was shown, and what they may do, is nothing for the next.
onSignedChange(() => queries.clear());

/** The fields that are there: queries know no empty ones. */
export function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
