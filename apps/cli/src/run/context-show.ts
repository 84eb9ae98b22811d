import type { Invocation } from "../invocation.ts";
import type { Setting } from "../settings.ts";

/** Enough of a secret to tell two apart. */
const SHOWN_CHARS = 4;

/** `metanode context show` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const settings = await invocation.settings();
  const token: Setting = { ...settings.token, value: hidden(settings.token.value) };
  const rows = Object.entries({ ...settings, token }).map(([name, { value, source }]) => ({
    name,
    value: value ?? null,
    source,
  }));
  await output.show(rows, () =>
    output.table(rows, [
      { title: "SETTING", value: (row) => row.name },
      { title: "VALUE", value: (row) => row.value ?? undefined },
      { title: "SOURCE", value: (row) => row.source },
    ]),
  );
}

function hidden(secret: string | undefined): string | undefined {
  if (secret === undefined) return undefined;
  return secret.length <= SHOWN_CHARS * 3 ? "…" : `${secret.slice(0, SHOWN_CHARS)}…`;
}
