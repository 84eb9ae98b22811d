import { createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { coreError } from "@metanode/core/errors";
import type { ActionView } from "../api/graphs.ts";
import { paths } from "../api/paths.ts";
import { confirm } from "../confirm.ts";
import { readInput } from "../data.ts";
import type { Invocation } from "../invocation.ts";
import { renderFields } from "../output/table.ts";

/** No limit: programs can be large, and lines slow. */
const NO_LIMIT_MS = 0;

/** `metanode action upload` */
export async function upload(invocation: Invocation): Promise<void> {
  const [name, file] = [invocation.arg(0), invocation.arg(1)];
  const isFile = await stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isFile) throw coreError("usage.invalid", `${file} is no file`);
  const body = await readInput(`@${file}`);
  const client = await invocation.client();
  const headers = { "content-type": "application/octet-stream" };
  const view = await client.json<ActionView>({ path: paths.action(name), method: "PUT", headers, body, timeoutMs: NO_LIMIT_MS });
  await invocation.output.show(view, () =>
    renderFields([
      ["action", view.name],
      ["version", view.version],
      ["bytes", view.bytes],
      ["hash", view.hash],
    ]),
  );
}

/** `metanode action get` */
export async function download(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const client = await invocation.client();
  const { body } = await client.request({ path: paths.action(invocation.arg(0)), headers: { accept: "*/*" } });
  const file = invocation.text("out");
  if (file === undefined) {
    for await (const chunk of body) output.raw(chunk as Uint8Array);
    return;
  }
  await pipeline(body, createWriteStream(file, { mode: 0o755 }));
  output.talk(`written to ${file}`);
}

/** `metanode action rm` */
export async function remove(invocation: Invocation): Promise<void> {
  const name = invocation.arg(0);
  await confirm(invocation, `Forget the uploaded program ${name}?`);
  const client = await invocation.client();
  await client.json({ path: paths.action(name), method: "DELETE", query: { force: invocation.has("force") } });
  invocation.output.talk(`${name} is gone`);
}
