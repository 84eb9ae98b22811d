import type { DeadLetterView } from "../api/views.ts";
import type { Output } from "./output.ts";
import { renderFields } from "./table.ts";

/** Dead letters, one line each. */
export function deadLetterTable(output: Output, items: readonly DeadLetterView[]): string {
  return output.table(
    items,
    [
      { title: "ID", value: (row) => row.id },
      { title: "AT", value: (row) => row.at },
      { title: "TYPE", value: (row) => String(row.message.type ?? row.stream) },
      { title: "SUBJECT", value: (row) => row.message.subject as string | undefined },
      { title: "ATTEMPTS", value: (row) => row.attempts, align: "right" },
      { title: "EDITED", value: (row) => (row.edited ? "yes" : "no") },
      { title: "ERROR", value: (row) => `${row.error.code}: ${row.error.message}` },
    ],
    "no dead letters",
  );
}

/** One dead letter with its message. */
export function deadLetterDetails(view: DeadLetterView): string {
  const { message } = view;
  return [
    renderFields([
      ["id", view.id],
      ["at", view.at],
      ["stream", view.stream],
      ["consumer", view.consumer],
      ["sequence", view.sequence],
      ["attempts", view.attempts],
      ["edited", view.edited ? "yes" : "no"],
      ["error", `${view.error.code}: ${view.error.message}`],
    ]),
    `message\n${JSON.stringify(message, null, 2)}`,
  ].join("\n\n");
}
