import type { Api } from "../context.ts";
import { library } from "./access.ts";

/** Reads JSON bodies of a scope so that ids of 64 bits stay what they are. A body that is no JSON is `message.invalid`, as everywhere. */
export function readLossless(api: Api): void {
  api.removeContentTypeParser("application/json");
  api.addContentTypeParser("application/json", { parseAs: "string" }, async (_request: unknown, body: string) => {
    const { parseLossless } = await library();
    try {
      return parseLossless(body);
    } catch (cause) {
      throw Object.assign(new Error(`the body is no JSON: ${(cause as Error).message}`), {
        code: "FST_ERR_CTP_INVALID_JSON_BODY",
      });
    }
  });
}
