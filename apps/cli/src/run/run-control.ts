import { paths } from "../api/paths.ts";
import type { CommandHandler } from "../command.ts";

/** `metanode run pause`, `resume` and `cancel` */
export function control(action: string): CommandHandler {
  return async (invocation) => {
    const under = invocation.text("under");
    const client = await invocation.client();
    const view = await client.json<{ tally: Record<string, number> }>({
      method: "POST",
      path: paths.treeRun(invocation.arg(0), action),
      body: under === undefined ? {} : { under },
    });
    await invocation.output.show(view, () =>
      Object.entries(view.tally)
        .map(([status, count]) => `${count} ${status}`)
        .join(", "),
    );
  };
}
