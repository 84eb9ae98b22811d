import { createHash } from "node:crypto";
import { type FileHandle, open, rename, stat } from "node:fs/promises";
import { coreError } from "@metanode/core/errors";
import { orderNode, streamNode } from "../api/tree.ts";
import type { Invocation } from "../invocation.ts";

/** Bytes of a file that travel in one message. */
const CHUNK_BYTES = 512 * 1024;

/** `metanode host push` */
export async function push(invocation: Invocation): Promise<void> {
  const [node, local, path] = [invocation.arg(0), invocation.arg(1), invocation.arg(2)];
  const { output } = invocation;
  const client = await invocation.client();
  const { size, mode } = await stat(local).catch((cause: Error) => {
    throw coreError("usage.invalid", `the file ${local} cannot be read: ${cause.message}`, { cause });
  });
  const given = invocation.text("mode");
  const file = await open(local);
  const whole = createHash("sha256");
  try {
    for (let offset = 0; ; ) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, offset);
      const chunk = buffer.subarray(0, bytesRead);
      whole.update(chunk);
      const last = offset + bytesRead >= size || bytesRead === 0;
      const data = {
        path,
        offset,
        data: chunk.toString("base64"),
        sha256: createHash("sha256").update(chunk).digest("hex"),
        ...(last
          ? { last, fileSha256: whole.copy().digest("hex"), mode: given === undefined ? mode & 0o777 : Number.parseInt(given, 8) }
          : {}),
      };
      await orderNode(client, { node, type: "metanode.host.push", data });
      offset += bytesRead;
      output.progress(`${offset} of ${size} bytes`);
      if (last) break;
    }
  } finally {
    await file.close();
    output.endProgress();
  }
  const view = { node, path, bytes: size, sha256: whole.digest("hex") };
  await output.show(view, () => `${path}  ${size} bytes  sha256 ${view.sha256}`);
}

type PullItem =
  | { readonly offset: number; readonly data: string; readonly sha256: string }
  | { readonly file: { readonly bytes: number; readonly sha256: string } };

/** `metanode host pull` */
export async function pull(invocation: Invocation): Promise<void> {
  const [node, path, local] = [invocation.arg(0), invocation.arg(1), invocation.arg(2)];
  const { output } = invocation;
  const client = await invocation.client();
  const whole = createHash("sha256");
  // What is there stays until the whole file has come.
  const part = `${local}.part`;
  let file: FileHandle | undefined;
  let end: { readonly bytes: number; readonly sha256: string } | undefined;
  try {
    for await (const item of streamNode<PullItem>(client, { node, type: "metanode.host.pull", data: { path } })) {
      if ("file" in item) {
        end = item.file;
        continue;
      }
      const bytes = Buffer.from(item.data, "base64");
      whole.update(bytes);
      if (local === "-") output.raw(bytes);
      else {
        file ??= await open(part, "w");
        await file.write(bytes, 0, bytes.length, item.offset);
      }
      output.progress(`${item.offset + bytes.length} bytes`);
    }
    if (local !== "-" && end?.bytes === 0) file = await open(part, "w");
  } finally {
    await file?.close();
    output.endProgress();
  }
  const sha256 = whole.digest("hex");
  if (end?.sha256 !== sha256) throw coreError("message.invalid", `what came is not what ${path} holds; pull it again`);
  if (local === "-") return;
  await rename(part, local);
  const view = { node, path, local, bytes: end.bytes, sha256 };
  await output.show(view, () => `${local}  ${view.bytes} bytes  sha256 ${sha256}`);
}
