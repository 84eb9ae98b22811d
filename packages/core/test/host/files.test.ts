import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chmod, link, mkdir, readdir, readFile, rename, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openFolder } from "../../src/host/folder.ts";
import { hostError } from "../../src/host/host-error.ts";
import type { PullItem, PushAnswer } from "../../src/host/index.ts";
import { type HostNode, openHostNode } from "../fixtures/host-control.ts";
import { errorOf } from "../fixtures/until.ts";

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

interface Upload {
  readonly from?: number;
  readonly chunkBytes?: number;
  readonly mode?: number;
  /** Leave off before this chunk. */
  readonly until?: number;
}

/** Pushes all of `bytes`, or what is left of them. */
async function push(host: HostNode, path: string, bytes: Buffer, upload: Upload = {}): Promise<PushAnswer | undefined> {
  const { from = 0, chunkBytes = 1_024 * 1_024, mode, until = Number.POSITIVE_INFINITY } = upload;
  let answer: PushAnswer | undefined;
  for (let offset = from; offset < Math.min(until, Math.max(1, bytes.length)); offset += chunkBytes) {
    const chunk = bytes.subarray(offset, offset + chunkBytes);
    const last = offset + chunkBytes >= bytes.length;
    answer = (await host.call("push", {
      path,
      offset,
      data: chunk.toString("base64"),
      sha256: sha256(chunk),
      ...(last ? { last, fileSha256: sha256(bytes) } : {}),
      ...(mode === undefined ? {} : { mode }),
    })) as PushAnswer;
  }
  return answer;
}

async function pull(host: HostNode, data: object): Promise<{ bytes: Buffer; end: Extract<PullItem, { file: unknown }>["file"] }> {
  const chunks: Buffer[] = [];
  for await (const item of host.stream("pull", data) as AsyncIterable<PullItem>) {
    if ("file" in item) return { bytes: Buffer.concat(chunks), end: item.file };
    const chunk = Buffer.from(item.data, "base64");
    expect(sha256(chunk)).toBe(item.sha256);
    chunks.push(chunk);
  }
  throw new Error("the stream ended without the file");
}

describe("M-64: files", () => {
  test("M-64: 20 MB go there and come back, every byte and the rights", async () => {
    const host = await openHostNode();
    const path = join(host.folder, "big");
    const bytes = randomBytes(20 * 1_024 * 1_024 + 7);
    expect(await push(host, path, bytes, { mode: 0o640 })).toEqual({
      path,
      offset: bytes.length,
      done: true,
      sha256: sha256(bytes),
    });
    expect(sha256(await readFile(path))).toBe(sha256(bytes));
    const back = await pull(host, { path });
    expect(back.bytes.equals(bytes)).toBe(true);
    expect(back.end).toMatchObject({ bytes: bytes.length, sha256: sha256(bytes), mode: 0o640 });
    expect(await readdir(host.folder)).toEqual(["big"]);
  });

  test("M-64: an empty file, and bytes from the same process, are files as well", async () => {
    const host = await openHostNode();
    const path = join(host.folder, "small");
    await push(host, path, Buffer.alloc(0));
    expect((await pull(host, { path })).bytes).toHaveLength(0);
    const data = new Uint8Array([0, 255]);
    await host.call("push", { path, offset: 0, data, sha256: sha256(data), last: true });
    expect((await pull(host, { path })).bytes).toEqual(Buffer.from(data));
  });

  test("M-64: a corrupted chunk is a typed error, changes nothing, and can be sent again", async () => {
    const host = await openHostNode();
    const path = join(host.folder, "file");
    await writeFile(path, "old");
    const bytes = randomBytes(3_000);
    await push(host, path, bytes, { chunkBytes: 1_000, until: 1_000 });
    const bad = {
      path,
      offset: 1_000,
      data: randomBytes(1_000).toString("base64"),
      sha256: sha256(bytes.subarray(1_000, 2_000)),
    };
    expect(await errorOf(host.call("push", bad))).toMatchObject({ code: "message.invalid", retryable: true });
    expect(await readFile(path, "utf8")).toBe("old");
    await push(host, path, bytes, { chunkBytes: 1_000, from: 1_000 });
    expect((await readFile(path)).equals(bytes)).toBe(true);
  });

  test("M-64: chunks that do not make the file leave the old one as it was", async () => {
    const host = await openHostNode();
    const path = join(host.folder, "file");
    await writeFile(path, "old");
    const chunk = Buffer.from("new");
    const data = {
      path,
      data: chunk.toString("base64"),
      sha256: sha256(chunk),
      fileSha256: sha256(Buffer.from("other")),
      last: true,
    };
    expect(await errorOf(host.call("push", { ...data, offset: 0 }))).toMatchObject({ code: "state.conflict" });
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(host.folder)).toEqual(["file"]);
    const { fileSha256: _, ...without } = data;
    await host.call("push", { ...without, offset: 0, last: false });
    expect(await errorOf(host.call("push", { ...without, offset: 3 }))).toMatchObject({
      code: "message.schema",
      details: { path: "/fileSha256" },
    });
  });

  test("M-64: a push is gone on with where it stopped, also by another life of the module", async () => {
    const host = await openHostNode();
    const path = join(host.folder, "file");
    const bytes = randomBytes(5_000);
    await push(host, path, bytes, { chunkBytes: 1_000, until: 2_000 });
    const other = await openHostNode();
    const probe = { path, offset: 9_999, data: "", sha256: sha256(Buffer.alloc(0)) };
    const error = await errorOf(other.call("push", probe));
    expect(error).toMatchObject({ code: "state.conflict", details: { offset: 2_000 } });
    await push(other, path, bytes, { chunkBytes: 1_000, from: 2_000 });
    expect((await readFile(path)).equals(bytes)).toBe(true);
  });

  test("M-64: two who push the same file at a time never make a mixture of it", async () => {
    const host = await openHostNode();
    const path = join(host.folder, "file");
    const [one, other] = [Buffer.alloc(40_000, "a"), Buffer.alloc(40_000, "b")];
    const results = await Promise.allSettled([
      push(host, path, one, { chunkBytes: 1_000 }),
      push(host, path, other, { chunkBytes: 1_000 }),
    ]);
    for (const result of results)
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "state.conflict" });
    const found = await readFile(path).catch(() => undefined);
    expect(found === undefined || found.equals(one) || found.equals(other)).toBe(true);
  });

  test("M-64: the file keeps its rights where the push names none, and a link is replaced and not followed", async () => {
    const host = await openHostNode();
    const [path, elsewhere] = [join(host.folder, "file"), join(host.folder, "elsewhere")];
    await writeFile(path, "old");
    await chmod(path, 0o600);
    await push(host, path, Buffer.from("new"));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await writeFile(elsewhere, "kept");
    await symlink(elsewhere, join(host.folder, "link"));
    await push(host, join(host.folder, "link"), Buffer.from("new"));
    expect(await readFile(elsewhere, "utf8")).toBe("kept");
    expect(await readFile(join(host.folder, "link"), "utf8")).toBe("new");
  });

  test("M-64: a pull begins at an offset, and its checksum is that of the whole file", async () => {
    const host = await openHostNode();
    const path = join(host.folder, "file");
    const bytes = randomBytes(10_000);
    await writeFile(path, bytes);
    const { bytes: rest, end } = await pull(host, { path, offset: 4_321, chunkBytes: 1_000 });
    expect(rest.equals(bytes.subarray(4_321))).toBe(true);
    expect(end.sha256).toBe(sha256(bytes));
    expect(await errorOf(pull(host, { path, offset: 10_001 }))).toMatchObject({
      code: "state.conflict",
      details: { offset: 10_000 },
    });
  });

  test("M-64: a file that changes while it is pulled is state.conflict, and never a mixture taken for whole", async () => {
    const host = await openHostNode();
    const path = join(host.folder, "file");
    await writeFile(path, randomBytes(10_000));
    let items = host.stream("pull", { path, chunkBytes: 1_000 })[Symbol.asyncIterator]();
    await items.next();
    const rest = async (): Promise<void> => {
      while (!(await items.next()).done);
    };
    await truncate(path, 2_000);
    expect(await errorOf(rest())).toMatchObject({ code: "state.conflict", retryable: true });
    // Also where its length stays the same.
    await writeFile(path, randomBytes(10_000));
    items = host.stream("pull", { path, chunkBytes: 1_000 })[Symbol.asyncIterator]();
    await items.next();
    await writeFile(path, randomBytes(10_000));
    expect(await errorOf(rest())).toMatchObject({ code: "state.conflict" });
  });

  test("M-64: what is no regular file is not waited for", async () => {
    const host = await openHostNode();
    const pipe = join(host.folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    for (const path of [pipe, host.folder, "/dev/zero"]) {
      expect(await errorOf(pull(host, { path }))).toMatchObject({ code: "call.unsupported" });
    }
    expect(await errorOf(pull(host, { path: join(host.folder, "none") }))).toMatchObject({ code: "resource.not_found" });
    expect(await errorOf(push(host, join(host.folder, "none", "x"), Buffer.alloc(1)))).toMatchObject({
      code: "resource.not_found",
    });
    expect(await errorOf(pull(host, { path: "relative" }))).toMatchObject({ code: "message.schema" });
  });
});

describe("M-65: files stay where the rules allow", () => {
  const allowed = async (): Promise<HostNode & { readonly place: string; readonly outside: string }> => {
    const place = await openHostNode();
    const [inside, outside] = [join(place.folder, "in"), join(place.folder, "out")];
    await mkdir(inside);
    await mkdir(outside);
    await writeFile(join(outside, "secret"), "s3");
    const host = await openHostNode({ rules: [{ verbs: ["push", "pull", "log"], paths: [`${inside}/**`] }] });
    return { ...host, place: inside, outside };
  };

  test("M-65: a path that climbs out is denied", async () => {
    const host = await allowed();
    for (const path of [`${host.place}/../out/secret`, `${host.place}/x/../../out/secret`, `${host.place}/./../out/secret`]) {
      expect(await errorOf(pull(host, { path }))).toMatchObject({ code: "auth.denied" });
      expect(await errorOf(host.call("log", { path }))).toMatchObject({ code: "auth.denied" });
      expect(await errorOf(push(host, path, Buffer.from("x")))).toMatchObject({ code: "auth.denied" });
    }
    expect(await readFile(join(host.outside, "secret"), "utf8")).toBe("s3");
    // What is not there is denied all the same: nobody learns what there is.
    expect(await errorOf(pull(host, { path: join(host.outside, "none") }))).toMatchObject({ code: "auth.denied" });
  });

  test("M-65: a link out of an allowed folder is denied, of a file and of a folder", async () => {
    const host = await allowed();
    await symlink(join(host.outside, "secret"), join(host.place, "file"));
    await symlink(host.outside, join(host.place, "folder"));
    for (const name of ["file", "folder/secret"]) {
      expect(await errorOf(pull(host, { path: join(host.place, name) }))).toMatchObject({ code: "auth.denied" });
    }
    const pushed = errorOf(push(host, join(host.place, "folder", "new"), Buffer.from("x")));
    expect(await pushed).toMatchObject({ code: "auth.denied" });
    expect(await readdir(host.outside)).toEqual(["secret"]);
  });

  test("M-65: a link to a place that is denied does not lead around the rule", async () => {
    const place = await openHostNode();
    await mkdir(join(place.folder, "private"));
    await writeFile(join(place.folder, "private", "key"), "s3");
    await symlink(join(place.folder, "private"), join(place.folder, "open"));
    const host = await openHostNode({
      rules: [{ verbs: ["pull"], paths: [join(place.folder, "private", "**")], effect: "deny" }, { verbs: ["pull"] }],
    });
    expect(await errorOf(pull(host, { path: join(place.folder, "open", "key") }))).toMatchObject({ code: "auth.denied" });
  });

  test("M-65: a folder that becomes a link between two chunks is not followed", async () => {
    const host = await allowed();
    await mkdir(join(host.place, "sub"));
    const path = join(host.place, "sub", "file");
    const bytes = Buffer.from("abcd");
    await push(host, path, bytes, { chunkBytes: 2, until: 2 });
    await rename(join(host.place, "sub"), join(host.place, "moved"));
    await symlink(host.outside, join(host.place, "sub"));
    expect(await errorOf(push(host, path, bytes, { chunkBytes: 2, from: 2 }))).toMatchObject({ code: "auth.denied" });
    expect(await readdir(host.outside)).toEqual(["secret"]);
  });

  test("M-65: a link that is put in the way after the judgement is refused, and a folder that is held stays the same", async () => {
    const host = await allowed();
    await mkdir(join(host.place, "a", "b"), { recursive: true });
    await using held = await openFolder(join(host.place, "a", "b"));
    await rename(join(host.place, "a"), join(host.place, "moved"));
    await mkdir(join(host.outside, "b"));
    await symlink(host.outside, join(host.place, "a"));
    for (const path of [join(host.place, "a"), join(host.place, "a", "b")]) {
      const opened = await openFolder(path).catch(hostError);
      expect(opened).toMatchObject({ code: expect.stringMatching(/^auth\.denied$|^resource\.not_found$/) });
    }
    await writeFile(held.at("file"), "x");
    expect(await readdir(join(host.place, "moved", "b"))).toEqual(["file"]);
  });

  test("M-65: a rule that names a folder by a link means the folder", async () => {
    const place = await openHostNode();
    await mkdir(join(place.folder, "real"));
    await symlink(join(place.folder, "real"), join(place.folder, "link"));
    const host = await openHostNode({ rules: [{ verbs: ["push"], paths: [join(place.folder, "link", "*")] }] });
    await push(host, join(place.folder, "link", "file"), Buffer.from("x"));
    await push(host, join(place.folder, "real", "other"), Buffer.from("x"));
    expect(await readdir(join(place.folder, "real"))).toEqual(["file", "other"]);
  });

  test("M-65: what a stranger laid where the chunks go is not written to", async () => {
    const host = await allowed();
    const path = join(host.place, "file");
    await push(host, path, Buffer.from("ab"), { chunkBytes: 1, until: 1 });
    const [part = ""] = await readdir(host.place);
    await rename(join(host.place, part), join(host.place, "kept"));
    await symlink(join(host.outside, "secret"), join(host.place, part));
    expect(await errorOf(push(host, path, Buffer.from("ab")))).toMatchObject({ code: "auth.denied" });
    expect(await readFile(join(host.outside, "secret"), "utf8")).toBe("s3");
    await rename(join(host.place, "kept"), join(host.place, part));
    await link(join(host.place, part), join(host.place, "second"));
    expect(await errorOf(push(host, path, Buffer.from("ab")))).toMatchObject({ code: "auth.denied" });
  });
});
