import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { findDuplicates, type InspectRequest, inspectPackage, integrityOf, type PackageEntry } from "../src/inspect.ts";

const hash = (algorithm: string): string => `${algorithm}-${createHash(algorithm).update("tea").digest("base64")}`;
const sound: PackageEntry = { version: "1.0.0", license: "MIT", integrity: hash("sha512") };
const request = (entry: PackageEntry, node = "v26.10.0"): InspectRequest => ({
  path: "node_modules/tea",
  name: "tea",
  node,
  entry: { ...sound, ...entry },
});
const textsOf = (entry: PackageEntry): string[] =>
  inspectPackage(request(entry)).findings.map(({ kind, text }) => `${kind}: ${text}`);

describe("a sound package", () => {
  test("has no findings", () => {
    expect(inspectPackage(request({}))).toEqual({
      path: "node_modules/tea",
      name: "tea",
      version: "1.0.0",
      license: { kind: "permissive", expression: "MIT", isValid: true },
      hasInstallScript: false,
      integrity: "sha512",
      engines: { node: null, excludesNode: false },
      findings: [],
    });
  });
});

describe("the integrity of a package", () => {
  test.each([
    ["sha512", { integrity: hash("sha512") }],
    ["sha384", { integrity: hash("sha384") }],
    ["sha1", { integrity: hash("sha1") }],
    ["several", { integrity: `${hash("sha1")} ${hash("sha512")}` }],
    ["sha512", { integrity: `${hash("sha512")}\n${hash("sha512")}` }],
    ["sha512", { integrity: `${hash("sha512")}?from=mirror` }],
    ["none", {}],
    ["none", { integrity: " " }],
    ["not_needed", { inBundle: true }],
    ["sha512", { inBundle: true, integrity: hash("sha512") }],
    ["malformed", { integrity: "sha512-" }],
    ["malformed", { integrity: hash("sha512").slice(0, 60) }],
    ["malformed", { integrity: hash("sha512").replace("sha512", "sha1") }],
    ["malformed", { integrity: `${hash("sha512")} rot13-abcd` }],
    ["malformed", { integrity: "constructor-abcd" }],
  ])("is %s for %j", (kind, entry) => {
    expect(integrityOf(entry)).toBe(kind);
  });

  test("is a finding where there is none, where it is forgeable and where it is no hash", () => {
    expect(textsOf({ integrity: undefined })).toEqual(["integrity: no integrity hash"]);
    expect(textsOf({ integrity: hash("sha1") })).toEqual(["integrity: only a sha1 hash, which can be forged"]);
    expect(textsOf({ integrity: "sha512-x" })).toEqual(['integrity: integrity "sha512-x" is no hash']);
    expect(textsOf({ integrity: undefined, inBundle: true })).toEqual([]);
  });

  test("names the commit that a package from git is pinned to", () => {
    const resolved = `git+ssh://git@git.example/tea.git#${"0123456789".repeat(4)}`;
    expect(textsOf({ integrity: undefined, resolved })).toEqual(["integrity: no integrity hash; from git, commit 012345678901"]);
  });
});

describe("the engines of a package", () => {
  test.each([
    [false, undefined],
    [false, { node: "*" }],
    [false, { node: "" }],
    [false, { node: ">=18" }],
    [false, { node: "^20.19.0 || ^22.12.0 || >=24.0.0" }],
    [false, { npm: ">=99" }],
    [false, ["node >=0.6.0"]],
    [false, []],
    [false, "node >=0.6.0"],
    [true, ["node <6", "npm >=2"]],
    [true, { node: ">=20 <=24" }],
    [true, { node: "0.10 || 0.12" }],
    [true, { node: "18.x" }],
    [true, { node: "the latest" }],
  ])("exclude this Node: %s for %j", (excludesNode, engines) => {
    expect(inspectPackage(request({ engines })).engines.excludesNode).toBe(excludesNode);
  });

  test("take a nightly build of Node for the release that it leads to", () => {
    const nightly = "v27.0.0-nightly20261120abcdef";
    expect(inspectPackage(request({ engines: { node: ">=20" } }, nightly)).engines.excludesNode).toBe(false);
  });

  test("are a finding that says what is asked for, and whether that is a range at all", () => {
    expect(textsOf({ engines: { node: "<6" } })).toEqual(["engines: engines ask for Node <6, this is v26.10.0"]);
    expect(textsOf({ engines: { node: "the latest" } })).toEqual(['engines: engines ask for "the latest", which is no range']);
  });
});

describe("an install script", () => {
  test("is a finding", () => {
    expect(textsOf({ hasInstallScript: true })).toEqual(["install_script: runs a script when it is installed"]);
    expect(textsOf({ hasInstallScript: false })).toEqual([]);
  });
});

describe("a licence", () => {
  test("is a finding unless it is permissive and valid", () => {
    expect(textsOf({ license: "MPL-2.0" })).toEqual(["license: licence MPL-2.0 is weak copyleft"]);
    expect(textsOf({ license: undefined })).toEqual(["license: licence missing from the lockfile"]);
    expect(textsOf({ license: "Apache 2.0" })).toEqual(['license: licence "Apache 2.0" is no SPDX expression (unknown)']);
    expect(textsOf({ license: "MIT OR Apache-2.0" })).toEqual([]);
  });
});

describe("a finding", () => {
  test("shows the beginning of what is too long to show", () => {
    const long = "x".repeat(1_000);
    for (const text of textsOf({ license: long, integrity: long, engines: { node: long } })) {
      expect(text).toContain(`"${"x".repeat(100)}…"`);
      expect(text.length).toBeLessThan(200);
    }
  });
});

describe("duplicates", () => {
  test("are names in several versions, with the versions in their order", () => {
    const packages = [
      { name: "b", version: "10.0.0" },
      { name: "b", version: "9.0.0" },
      { name: "a", version: "1.0.0" },
      { name: "a", version: "1.0.0-rc.1" },
      { name: "once", version: "1.0.0" },
      { name: "twice-the-same", version: "1.0.0" },
      { name: "twice-the-same", version: "1.0.0" },
      { name: "constructor", version: "1.0.0" },
    ];
    expect(findDuplicates(packages)).toEqual([
      { name: "a", versions: ["1.0.0-rc.1", "1.0.0"] },
      { name: "b", versions: ["9.0.0", "10.0.0"] },
    ]);
  });

  test("are found where a version is no semantic version", () => {
    const packages = ["2.0.0", "file:x.tgz", ""].map((version) => ({ name: "a", version }));
    expect(findDuplicates(packages)).toEqual([{ name: "a", versions: ["", "2.0.0", "file:x.tgz"] }]);
  });
});
