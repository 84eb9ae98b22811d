import type { AuditView } from "../api/access.ts";
import { paths } from "../api/paths.ts";
import type { Page } from "../api/workflows.ts";
import { parseMoment } from "../duration.ts";
import type { Invocation } from "../invocation.ts";
import { nowMs } from "../time.ts";

/** `metanode audit` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const since = invocation.text("since");
  const query = {
    name: invocation.text("name"),
    operation: invocation.text("operation"),
    since: since === undefined ? undefined : new Date(parseMoment(since, nowMs())).toISOString(),
    limit: invocation.number("limit"),
    cursor: invocation.text("cursor"),
  };
  const client = await invocation.client();
  const answer = await client.json<Page<AuditView>>({ path: paths.audit, query });
  await output.show(answer, () =>
    output.table(
      answer.items,
      [
        { title: "AT", value: (row) => row.at },
        { title: "NAME", value: (row) => row.name },
        { title: "ROLE", value: (row) => row.role },
        { title: "OPERATION", value: (row) => row.operation },
        { title: "PATH", value: (row) => `${row.method} ${row.path}` },
        {
          title: "STATUS",
          value: (row) => row.status,
          align: "right",
          paint: (text, row) => output.paint(row.status < 400 ? "green" : "red", text),
        },
        { title: "ERROR", value: (row) => row.code },
        { title: "REASON", value: (row) => row.reason },
      ],
      "nothing was changed",
    ),
  );
  if (output.format === "table" && answer.next !== undefined) output.talk(`there are more: --cursor ${answer.next}`);
}
