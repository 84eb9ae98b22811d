import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { SETTINGS, variableOf } from "../src/index.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

describe("the README's table of settings", () => {
  test("has a row for each setting, with its variable and its default, in the order of the code", () => {
    const rows = [...readme.matchAll(/^\| `([a-zA-Z.]+)` \| `(METANODE_\w+)` \|.*\| (.+) \|$/gm)].map((row) => row.slice(1));
    expect(rows).toEqual(
      SETTINGS.map(({ path, defaultValue }) => [
        path,
        variableOf(path),
        defaultValue === undefined ? expect.any(String) : `\`${written(defaultValue)}\``,
      ]),
    );
  });
});

function written(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value).replaceAll(",", ", ");
}
