import { readContexts } from "../contexts.ts";
import type { Invocation } from "../invocation.ts";

/** `metanode context ls` */
export async function run({ output }: Invocation): Promise<void> {
  const { current, contexts } = await readContexts();
  const rows = Object.entries(contexts).map(([name, { url, data, token }]) => ({
    name,
    current: name === current,
    ...(url === undefined ? {} : { url }),
    ...(data === undefined ? {} : { data }),
    hasToken: token !== undefined,
  }));
  await output.show(rows, () =>
    output.table(
      rows,
      [
        { title: "", value: (row) => (row.current ? "*" : " ") },
        { title: "NAME", value: (row) => row.name },
        { title: "URL", value: (row) => row.url },
        { title: "DATA", value: (row) => row.data },
        { title: "TOKEN", value: (row) => (row.hasToken ? "yes" : "no") },
      ],
      "no contexts; `metanode context set <name> --url <url>` makes one",
    ),
  );
}
