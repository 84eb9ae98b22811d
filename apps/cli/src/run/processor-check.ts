import { resolve } from "node:path";
import { parseJson } from "../data.ts";
import { formatDuration } from "../duration.ts";
import { Exit } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import type { Output } from "../output/output.ts";
import { oneLine } from "../output/width.ts";

const COLOURS = { passed: "green", failed: "red", skipped: "dim" } as const;

/** `metanode processor check` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  // The kit starts processes and speaks gRPC: nothing that other commands should pay for.
  const { checkProcessor } = await import("@metanode/core/testing");
  const cwd = invocation.text("cwd");
  const env = invocation.pairs("env");
  const isTable = output.format === "table";
  const report = await checkProcessor({
    command: invocation.words(0),
    full: invocation.has("full"),
    samples: Object.entries(invocation.pairs("sample") ?? {}).map(([type, text]) => ({
      type,
      data: parseJson(Buffer.from(text, "utf8"), `the sample of ${type}`),
    })),
    ...(cwd === undefined ? {} : { cwd: resolve(cwd) }),
    ...(env === undefined ? {} : { env }),
    onProgress: (check) => {
      if (isTable) output.line(lineOf(output, check));
      else output.progress(check.title);
    },
  });
  output.endProgress();
  const { passed, failed, skipped } = report;
  if (isTable) output.talk(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  else await output.show(report, () => "");
  if (failed > 0) throw new Exit(1);
}

type Check = Parameters<NonNullable<Parameters<typeof import("@metanode/core/testing").checkProcessor>[0]["onProgress"]>>[0];

/** One check on one line, with what was seen where it did not pass. */
function lineOf(output: Output, { title, status, detail, durationMs }: Check): string {
  const seen = status === "passed" || detail === "" ? "" : `: ${oneLine(detail)}`;
  return `${output.paint(COLOURS[status], status.padEnd(7))}  ${title} (${formatDuration(durationMs)})${seen}`;
}
