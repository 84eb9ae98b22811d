import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Command, fixture, temporaryFolder } from "./command.ts";

interface Facts {
  readonly license: { readonly kind: string; readonly expression?: string };
}

test("the graph of Unix programs counts each licence as often as the audit has found it, the most frequent first", async () => {
  const data = join(temporaryFolder(), "data");
  const { status, stdout, stderr } = await new Command(fixture("v3"), "--once", "--json", "--data", data, "--port", "0").ended();
  expect(status).toBe(0);
  const expected = new Map<string, number>();
  for (const { license } of (JSON.parse(stdout) as { packages: Facts[] }).packages) {
    const licence = license.expression ?? license.kind;
    expected.set(licence, (expected.get(licence) ?? 0) + 1);
  }
  const lines = readFileSync(join(data, "report", "licences.txt"), "utf8")
    .trimEnd()
    .split("\n");
  const found = lines.map((line) => /^\s*(\d+) (.*)$/.exec(line)?.slice(1) ?? []);
  expect(new Map(found.map(([count, licence = ""]) => [licence, Number(count)]))).toEqual(expected);
  const counts = found.map(([count]) => Number(count));
  expect(counts).toEqual(counts.toSorted((one, other) => other - one));
  expect(stderr).toContain(`licences by the graph \`cut; sort; uniq; sort\`: ${counts[0]} `);
});
