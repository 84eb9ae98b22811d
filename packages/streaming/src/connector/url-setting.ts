import { z } from "zod";
import { streamError } from "../errors.ts";

/** Where a server is: said outright, or, where the address holds a password, by the variable that holds it. */
export const urlSettings = {
  url: z.string().min(1).optional().describe("The address of the server."),
  urlFrom: z
    .string()
    .min(1)
    .optional()
    .describe("The environment variable of the node that holds the address; instead of `url`."),
};

/** @throws {MetanodeError} stream.graph – neither is said, or the variable is not set. */
export function urlOf({ url, urlFrom }: { readonly url?: string | undefined; readonly urlFrom?: string | undefined }): string {
  if (url !== undefined) return url;
  if (urlFrom === undefined)
    throw streamError("stream.graph", "no address is given: say it in `url`, or name a variable in `urlFrom`");
  return variableOf(urlFrom, "urlFrom");
}

/** What stands in an environment variable of the node. @throws {MetanodeError} stream.graph – nothing does. */
export function variableOf(name: string, setting: string): string {
  const found = process.env[name];
  if (found !== undefined && found !== "") return found;
  throw streamError("stream.graph", `the environment variable ${name} is not set; \`${setting}\` names it`);
}
