import { describe, expect, test } from "vitest";
import { defineProcessor } from "../../src/processor/author.ts";
import { checkProcessor, type KitReport } from "../../src/processor/kit.ts";
import { conformanceProcessor, conformanceProcessorFile } from "../../src/testing/conformance-processor.ts";
import { fixture } from "../fixtures/host.ts";
import { errorOf } from "../fixtures/until.ts";

function failures(report: KitReport): string[] {
  return report.checks.filter(({ status }) => status === "failed").map(({ name, detail }) => `${name}: ${detail}`);
}

function statusOf(report: KitReport, name: string): string | undefined {
  return report.checks.find((check) => check.name === name)?.status;
}

describe("M-13 users write their own processors, in any language", () => {
  test("the TypeScript reference processor passes the whole kit as a process", async () => {
    const seen: string[] = [];
    const report = await checkProcessor({
      command: [process.execPath, conformanceProcessorFile],
      full: true,
      samples: [{ type: "conformance.echo", data: { tea: 2 }, expect: { tea: 2 } }],
      onProgress: ({ name }) => seen.push(name),
    });
    expect(failures(report)).toEqual([]);
    const skipped = report.checks.filter(({ status }) => status === "skipped").map(({ name }) => name);
    expect(skipped).toEqual(process.platform === "linux" ? [] : ["listens-nowhere"]);
    expect(seen).toEqual(report.checks.map(({ name }) => name));
  });

  test("a processor on plain gRPC passes what the kit asks of everyone", async () => {
    const report = await checkProcessor({
      command: [process.execPath, fixture("raw-grpc")],
      samples: [{ type: "raw.echo", data: 1, expect: 1 }],
    });
    expect(failures(report)).toEqual([]);
    expect(statusOf(report, "samples")).toBe("passed");
  });
});

describe("M-27 in-process mode keeps the same contract", () => {
  test("the reference processor passes the whole kit in process", async () => {
    const report = await checkProcessor({ definition: conformanceProcessor, full: true });
    expect(failures(report)).toEqual([]);
    const skipped = report.checks.filter(({ status }) => status === "skipped").map(({ name }) => name);
    expect(skipped).toEqual(["secret", "listens-nowhere", "version-refused", "noise"]);
  });
});

describe("the kit", () => {
  test("finds a processor that listens, dials twice, answers twice, ignores cancels and lives on without its node", async () => {
    const report = await checkProcessor({
      command: [process.execPath, fixture("misbehaving")],
      full: true,
      startTimeoutMs: 10_000,
    });
    for (const name of [
      "listens-nowhere",
      "cancel",
      "deadline",
      "window",
      "echo",
      "fail",
      "drain",
      "node-gone",
      "version-refused",
      "full-types",
    ]) {
      expect(`${name} ${statusOf(report, name)}`).toBe(`${name} failed`);
    }
  });

  test("names what was wrong when the program never greets, and asks no more", async () => {
    const report = await checkProcessor({ command: ["sh", "-c", "echo no database >&2; exit 4"] });
    expect(report).toMatchObject({ failed: 1, passed: 0 });
    expect(report.checks[0]).toMatchObject({ name: "greets", status: "failed" });
    expect(report.checks[0]?.detail).toContain("exit code 4");
    expect(report.checks[0]?.detail).toContain("no database");
  });

  test("fails a sample whose answer is another", async () => {
    const report = await checkProcessor({
      definition: defineProcessor({ name: "sum", types: { "sum.two": { handle: ([a, b]: [number, number]) => a - b } } }),
      samples: [{ type: "sum.two", data: [1, 2], expect: 3 }],
    });
    const sample = report.checks.find(({ name }) => name === "samples");
    expect(sample).toMatchObject({ status: "failed", detail: "the sample of sum.two@1 gave -1, expected 3" });
  });

  test("needs either a command or a definition", async () => {
    expect(await errorOf(checkProcessor({}))).toMatchObject({ code: "config.invalid" });
    expect(await errorOf(checkProcessor({ command: ["x"], definition: conformanceProcessor }))).toMatchObject({
      code: "config.invalid",
    });
  });
});
