import type { Finding, Verdict } from "../doctor/finding.ts";
import { checkDisk, checkFolder, checkLock, checkSocketPath, checkToken } from "../doctor/folder.ts";
import { checkClock, checkNode, checkPinnedNode, checkPrograms } from "../doctor/machine.ts";
import { checkNodeAnswers } from "../doctor/node.ts";
import { Exit } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import type { Output } from "../output/output.ts";
import { oneLine } from "../output/width.ts";
import { nowMs } from "../time.ts";

const COLOURS = { ok: "green", info: "dim", warn: "yellow", fail: "red" } as const;

/** `metanode doctor` */
export async function run(invocation: Invocation): Promise<void> {
  const { output } = invocation;
  const settings = await invocation.settings();
  const folder = settings.data.value ?? ".metanode";
  const [node, programs] = await Promise.all([checkNodeAnswers(settings), checkPrograms()]);
  const findings: Finding[] = [
    checkNode(),
    checkPinnedNode(),
    checkClock(nowMs()),
    checkFolder(folder),
    await checkLock(folder, node.isAnswered),
    checkToken(folder),
    checkSocketPath(folder),
    checkDisk(folder),
    ...node.findings,
    ...programs,
  ];
  await output.show({ items: findings }, () => textOf(output, findings));
  const count = (verdict: Verdict): number => findings.filter(({ status }) => status === verdict).length;
  if (output.format === "table") output.talk(`${count("fail")} wrong, ${count("warn")} to look at, ${findings.length} checks`);
  if (count("fail") > 0) throw new Exit(1);
}

function textOf(output: Output, findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  return findings
    .flatMap(({ check, status, found, advice }) => [
      `${output.paint(COLOURS[status], status.padEnd(4))}  ${check.padEnd(width)}  ${oneLine(found)}`,
      ...(advice === undefined ? [] : [`${" ".repeat(8 + width)}${output.paint("bold", "→")} ${oneLine(advice)}`]),
    ])
    .join("\n");
}
