import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as core from "../../src/index.ts";
import * as group from "../../src/member/index.ts";
import * as tree from "../../src/tree/index.ts";

const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  dependencies: Record<string, string>;
};

describe("what the tree leaves to others", () => {
  test("M-60: core knows nothing of docker, Kubernetes, ssh or a broker", () => {
    expect(Object.keys(manifest.dependencies).filter((name) => /docker|kube|ssh|nats|redis|consul/.test(name))).toEqual([]);
  });

  test("M-67: taking work apart is the caller's: nothing in core splits a task over nodes", () => {
    const names = [...Object.keys(core), ...Object.keys(tree), ...Object.keys(group)];
    expect(names.filter((name) => /split|partition|scatter|shard/i.test(name))).toEqual([]);
  });
});
