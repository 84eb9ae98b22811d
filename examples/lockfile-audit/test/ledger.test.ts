import { join } from "node:path";
import { type Nature, openNature } from "@metanode/nature";
import { describe, expect, test } from "vitest";
import type { Finding } from "../src/finding.ts";
import { inspectPackage } from "../src/inspect.ts";
import { Ledger } from "../src/ledger.ts";
import { packageFlow } from "../src/workflow.ts";
import { temporaryFolder } from "./command.ts";

const PACKAGE = packageFlow.names.package;
const HASH = `sha512-${Buffer.alloc(64).toString("base64")}`;

/** What an audit says of a package: without findings, unless something is wrong with its entry. */
function inspected(name: string, entry: object = {}, path = `node_modules/${name}`) {
  return inspectPackage({
    path,
    name,
    node: "v26.0.0",
    entry: { version: "1.0.0", license: "MIT", integrity: HASH, ...entry },
  });
}

const failed: Finding = { kind: "error", name: "odd", version: "", path: "node_modules/odd", text: "not inspected" };

function open(folder: string): Promise<Nature> {
  return openNature({ folder: join(folder, "nature"), flows: [packageFlow] });
}

/** The versions that are stored of each package, by its name. */
async function storedIn(folder: string): Promise<Record<string, string[]>> {
  await using nature = await open(folder);
  const { items } = await nature.reads.range({ meta: PACKAGE, limit: 1_000 });
  const byName = Object.groupBy(items, ({ content }) => JSON.parse(content).name as string);
  return Object.fromEntries(
    Object.entries(byName).map(([name, versions = []]) => [name, versions.map(({ version, states }) => `${version} ${states}`)]),
  );
}

/** One audit with these outcomes, and what it counts. */
async function audit(folder: string, outcomes: readonly Parameters<Ledger["add"]>[0][], reviewed: readonly string[] = []) {
  await using nature = await open(folder);
  const ledger = new Ledger(nature);
  for (const outcome of outcomes) ledger.add(outcome);
  const unknown = await ledger.review(reviewed);
  return { states: await ledger.states(), unknown };
}

describe("the workflow of the packages", () => {
  test("takes a package from found to approved, or to flagged where something was found, and from there to reviewed", async () => {
    const folder = temporaryFolder();
    const outcomes = [inspected("fine"), inspected("scripted", { hasInstallScript: true }), failed];
    expect(await audit(folder, outcomes)).toEqual({ states: { approved: 1, flagged: 2 }, unknown: [] });
    const reviewed = await audit(folder, outcomes, ["scripted@1.0.0"]);
    expect(reviewed).toEqual({ states: { approved: 1, flagged: 1, reviewed: 1 }, unknown: [] });
    expect(await storedIn(folder)).toEqual({
      fine: ["1 found", "2 approved"],
      scripted: ["1 found", "2 flagged", "3 reviewed"],
      odd: ["1 found", "2 flagged"],
    });
  });

  test("knows a package again in the next audit, and judges it anew when something else is found", async () => {
    const folder = temporaryFolder();
    await audit(folder, [inspected("tool", { hasInstallScript: true })], ["tool@1.0.0"]);
    expect(await audit(folder, [inspected("tool", { hasInstallScript: true })])).toMatchObject({ states: { reviewed: 1 } });
    expect(await audit(folder, [inspected("tool", { license: "GPL-3.0-only" })])).toMatchObject({ states: { flagged: 1 } });
  });

  test("counts a package that is installed in several places once", async () => {
    const outcomes = [inspected("twin"), inspected("twin", {}, "node_modules/a/node_modules/twin")];
    expect(await audit(temporaryFolder(), outcomes)).toMatchObject({ states: { approved: 1 } });
  });

  test("says which reviews are of nothing that is flagged, and leaves what is approved as it is", async () => {
    const outcomes = [inspected("fine"), inspected("scripted", { hasInstallScript: true })];
    expect(await audit(temporaryFolder(), outcomes, ["fine@1.0.0", "scripted@2.0.0", "none@1.0.0"])).toEqual({
      states: { approved: 1, flagged: 1 },
      unknown: ["fine@1.0.0", "scripted@2.0.0", "none@1.0.0"],
    });
  });

  test("takes more packages than go into a batch", async () => {
    const outcomes = Array.from({ length: 1_001 }, (_, at) =>
      inspected(`p${at}`, at % 7 === 0 ? { hasInstallScript: true } : {}),
    );
    expect(await audit(temporaryFolder(), outcomes)).toMatchObject({ states: { approved: 858, flagged: 143 } });
  });

  test("takes names and findings of any length and content", async () => {
    const name = `${"\u0000|😀/".repeat(100_000)}`;
    expect(await audit(temporaryFolder(), [inspected(name), { ...failed, text: name }])).toMatchObject({
      states: { approved: 1, flagged: 1 },
    });
  });
});

describe("a ledger whose workflows have stopped", () => {
  test("takes packages all the same, and says so when it is asked", async () => {
    const nature = await open(temporaryFolder());
    const ledger = new Ledger(nature);
    await nature.stop();
    for (let at = 0; at < 500; at++) ledger.add(inspected(`p${at}`));
    await expect(ledger.states()).rejects.toMatchObject({ code: "node.closed" });
    await expect(ledger.review(["p1@1.0.0"])).rejects.toMatchObject({ code: "node.closed" });
  });
});
