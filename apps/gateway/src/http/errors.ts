import { coreError, type ErrorRow, errorTable } from "@metanode/core";
import { z } from "zod";
import type { Api } from "./context.ts";
import { answer, problems } from "./responses.ts";

const RowView = z.object({
  code: z.string(),
  meaning: z.string(),
  http: z.int(),
  grpc: z.int().describe("gRPC status number."),
  exit: z.int().describe("Exit status of the command line."),
  retryable: z.boolean().describe("Whether the same request, sent again unchanged, can succeed."),
});

/** The closed table of codes; the `type` of every problem points into it. */
export function errorRoutes(api: Api): void {
  const tags = ["errors"];
  const list = z.object({ items: z.array(RowView) });
  const listSchema = {
    operationId: "listErrors",
    summary: "Every error code, with what it means",
    tags,
    response: { 200: answer("The table", list), ...problems() },
  };
  api.get("/errors", { schema: listSchema }, async () => ({ items: [...errorTable()].map(viewOf) }));
  const getSchema = {
    operationId: "getError",
    summary: "What one error code means",
    tags,
    params: z.object({ code: z.string() }),
    response: { 200: answer("Its row", RowView), ...problems("resource.not_found") },
  };
  api.get("/errors/:code", { schema: getSchema }, async ({ params: { code } }) => {
    const row = errorTable().get(code);
    if (row === undefined) throw coreError("resource.not_found", `there is no error code ${code}; GET /api/v1/errors lists them`);
    return viewOf([code, row]);
  });
}

function viewOf([code, { meaning, http, grpc, exit, retryable }]: [string, ErrorRow]): z.infer<typeof RowView> {
  return { code, meaning, http, grpc, exit, retryable };
}
