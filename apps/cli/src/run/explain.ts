import { coreError, type ErrorRow, errorTable } from "@metanode/core/errors";
import "@metanode/streaming/errors"; // its codes
import type { Invocation } from "../invocation.ts";
import { nearestOf } from "../nearest.ts";
import { renderFields } from "../output/table.ts";

const EXIT_MEANINGS: Readonly<Record<number, string>> = {
  1: "failed",
  2: "wrong usage",
  3: "not found",
  4: "conflict",
  5: "not authorised",
  6: "unreachable",
  7: "timeout",
  8: "partial",
  9: "cancelled",
};

/** `metanode explain` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  // Its codes stand in the table once it is loaded.
  await import("@metanode/nature/errors");
  const code = invocation.optionalArg(0);
  if (code === undefined) {
    const all = [...errorTable()].map(([name, row]) => ({ code: name, ...row }));
    await output.show(all, () =>
      output.table(all, [
        { title: "CODE", value: (row) => row.code },
        { title: "EXIT", value: (row) => row.exit, align: "right" },
        { title: "HTTP", value: (row) => row.http, align: "right" },
        { title: "RETRY", value: (row) => (row.retryable ? "yes" : "no") },
        { title: "MEANING", value: (row) => row.meaning },
      ]),
    );
    return;
  }
  const row = errorTable().get(code);
  if (row === undefined) throw await unknownCode(code);
  await output.show({ code, ...row }, () => textOf(code, row));
}

function textOf(code: string, row: ErrorRow): string {
  return renderFields([
    ["code", code],
    ["meaning", row.meaning],
    [
      "retry",
      row.retryable ? "the same request, sent again unchanged, can succeed" : "the same request fails again; change it first",
    ],
    ["exit", `${row.exit} (${EXIT_MEANINGS[row.exit] ?? "failed"})`],
    ["http", row.http],
    ["grpc", row.grpc],
  ]);
}

async function unknownCode(code: string): Promise<Error> {
  const known = [...errorTable().keys()];
  const near = await nearestOf(code, known);
  const hint = near === undefined ? "`metanode explain` lists all" : `did you mean ${near}?`;
  return coreError(
    "resource.not_found",
    `there is no error code ${code}; ${hint}`,
    near === undefined ? {} : { details: { suggestion: near } },
  );
}
