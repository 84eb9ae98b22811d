import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseLockfile, readLockfile } from "../src/lockfile.ts";

const lock = (packages: unknown, version: unknown = 3): string => JSON.stringify({ lockfileVersion: version, packages });

describe("a lockfile", () => {
  test("pins what is below a node_modules and is no link; the rest is counted apart", () => {
    const text = lock({
      "": { name: "root" },
      "packages/a": { name: "@tea/a" },
      "../outside": {},
      "node_modules/@tea/a": { resolved: "packages/a", link: true },
      "node_modules/b": { version: "1.0.0" },
      "node_modules/@tea/c/node_modules/@d/e": { version: "2.0.0" },
      "packages/a/node_modules/f": { version: "3.0.0" },
      "node_modules/alias": { name: "real", version: "4.0.0" },
    });
    const { packages, links, localFolders } = parseLockfile(text, "x");
    expect(packages.map(({ path, name }) => [path, name])).toEqual([
      ["node_modules/b", "b"],
      ["node_modules/@tea/c/node_modules/@d/e", "@d/e"],
      ["packages/a/node_modules/f", "f"],
      ["node_modules/alias", "real"],
    ]);
    expect({ links, localFolders }).toEqual({ links: 1, localFolders: 3 });
  });

  test("may be of version 2 or 3, hold no packages, and begin with a byte order mark", () => {
    expect(parseLockfile(lock({}, 2), "x")).toMatchObject({ lockfileVersion: 2, packages: [] });
    expect(parseLockfile(`\ufeff${lock({ "": {} })}`, "x")).toMatchObject({ lockfileVersion: 3, packages: [], localFolders: 1 });
  });

  test("keeps entries that are wrong, for they are findings", () => {
    expect(parseLockfile(lock({ "node_modules/a": null, "node_modules/b": [] }), "x").packages).toHaveLength(2);
  });
});

describe("what is no lockfile", () => {
  test.each([
    ["config.invalid", "is empty", ""],
    ["config.invalid", "is empty", " \n"],
    ["config.invalid", "is not JSON", "lockfileVersion: 3"],
    ["config.invalid", "is not JSON", lock({ "node_modules/a": {} }).slice(0, -9)],
    ["config.invalid", "holds an array", "[]"],
    ["config.invalid", "holds null", "null"],
    ["config.invalid", "holds 3", "3"],
    ["config.invalid", 'has no object "packages"', '{"lockfileVersion":3}'],
    ["config.invalid", 'has no object "packages"', lock([])],
    ["config.invalid", "has no lockfileVersion", '{"packages":{}}'],
    ["config.invalid", "that is no number", lock({}, "3")],
    ["call.unsupported", "--lockfile-version 3", '{"lockfileVersion":1,"dependencies":{}}'],
    ["call.unsupported", "expected 2 or 3", lock({}, 4)],
  ])("is refused with %s, which says that it %s", (code, text, content) => {
    const refusal = expect.objectContaining({ code, message: expect.stringContaining(text) });
    expect(() => parseLockfile(content, "x.json")).toThrow(refusal);
    expect(() => parseLockfile(content, "x.json")).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^x\.json .+$/) }),
    );
  });

  test("is refused where the file is missing or a folder", async () => {
    const folder = await mkdtemp(join(tmpdir(), "lockfile-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await expect(readLockfile(join(folder, "nothing.json"))).rejects.toMatchObject({ code: "resource.not_found" });
    await expect(readLockfile(folder)).rejects.toMatchObject({ code: "config.invalid" });
  });
});
