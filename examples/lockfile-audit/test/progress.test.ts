import { describe, expect, test } from "vitest";
import { createProgress } from "../src/progress.ts";

function recorder(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, written, write: (text: string) => written.push(text) };
}

describe("progress on a terminal", () => {
  test("is a bar that is drawn over and cleared at the end", () => {
    const sink = recorder(true);
    const progress = createProgress(sink);
    progress.update(1, 2);
    progress.update(2, 2);
    progress.end();
    progress.end();
    expect(sink.written).toEqual([
      `\r\u001b[2Kinspecting ${"█".repeat(15)}${"░".repeat(15)} 1/2`,
      `\r\u001b[2Kinspecting ${"█".repeat(30)} 2/2`,
      "\r\u001b[2K",
    ]);
  });

  test("is drawn once per percent, however many packages there are", () => {
    const sink = recorder(true);
    const progress = createProgress(sink);
    for (let done = 1; done <= 10_000; done++) progress.update(done, 10_000);
    expect(sink.written).toHaveLength(101);
  });
});

describe("progress without a terminal", () => {
  test("is five lines, the last one of the whole", () => {
    const sink = recorder(false);
    const progress = createProgress(sink);
    for (let done = 1; done <= 1_000; done++) progress.update(done, 1_000);
    progress.end();
    expect(sink.written).toEqual([200, 400, 600, 800, 1_000].map((done) => `inspected ${done} of 1000 packages\n`));
  });

  test("is nothing where there is nothing to do", () => {
    const sink = recorder(false);
    createProgress(sink).end();
    expect(sink.written).toEqual([]);
  });
});
