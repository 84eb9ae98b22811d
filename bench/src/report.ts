import type { Bench } from "./contender.ts";
import { type Figure, type MeasureResult, readable } from "./run.ts";

/** Where and with what the figures were taken. */
export interface Circumstances {
  /** Version of Node, without a `v`. */
  readonly node: string;
  /** Processors that the process may use. */
  readonly cpus: number;
  /** The processor's name, as the system gives it. */
  readonly machine: string;
  /** The commit of the working copy, or `unknown`. */
  readonly commit: string;
}

/** One measure in the machine-readable report. */
export interface ReportedMeasure {
  readonly name: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** The median; null when ours did not take part. */
  readonly ours: number | null;
  readonly peers: Readonly<Record<string, number>>;
  /** How many times better ours is than each peer, whichever direction is better. */
  readonly ratios: Readonly<Record<string, number>>;
  readonly samples: number;
  /** The least and the greatest sample of each. */
  readonly spread: Readonly<Record<string, readonly [min: number, max: number]>>;
  readonly note: string;
}

/** The machine-readable report: one JSON object. */
export interface Report extends Circumstances {
  readonly bench: string;
  readonly question: string;
  readonly measures: readonly ReportedMeasure[];
}

/** The report of one run. */
export function createReport(bench: Bench, results: readonly MeasureResult[], circumstances: Circumstances): Report {
  return {
    bench: bench.name,
    ...circumstances,
    question: bench.question,
    measures: results.map((result) => reportMeasure(result, bench.ours.name)),
  };
}

function reportMeasure(result: MeasureResult, oursName: string): ReportedMeasure {
  const { name, unit, better } = result.measure;
  const ours = result.figures.get(oursName);
  const peers = [...result.figures].filter(([contender]) => contender !== oursName);
  const ratio = (peer: Figure, own: Figure): number =>
    better === "higher" ? own.median / peer.median : peer.median / own.median;
  return {
    name,
    unit,
    better,
    ours: ours === undefined ? null : rounded(ours.median),
    peers: Object.fromEntries(peers.map(([peer, figure]) => [peer, rounded(figure.median)])),
    ratios: ours === undefined ? {} : Object.fromEntries(peers.map(([peer, figure]) => [peer, rounded(ratio(figure, ours))])),
    samples: result.samples,
    spread: Object.fromEntries([...result.figures].map(([who, { min, max }]) => [who, [rounded(min), rounded(max)] as const])),
    note: noteOf(result),
  };
}

function noteOf({ measure, notes, absent }: MeasureResult): string {
  const about = [...notes].map(([name, text]) => `${name}: ${text}`);
  const missing = [...absent].map(([name, reason]) => `left out: ${name} (${reason})`);
  return [measure.note, ...about, ...missing].join("; ");
}

/** Four digits are more than a run repeats. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

/** The same for people: a table per measure. */
export function formatReport(report: Report): string {
  const head = `${report.bench}: ${report.question}\nNode ${report.node}, ${report.cpus} x ${report.machine}, commit ${report.commit}`;
  return [head, ...report.measures.map(formatMeasure)].join("\n\n");
}

function formatMeasure(measure: ReportedMeasure): string {
  const header = [measure.name, measure.unit, "least", "most", "ours is"];
  const rows = [...(measure.ours === null ? [] : [["ours", measure.ours] as const]), ...Object.entries(measure.peers)].map(
    ([name, value]) => {
      const [min, max] = measure.spread[name] ?? [value, value];
      const ratio = measure.ratios[name];
      const verdict = ratio === undefined ? "" : `${readable(ratio)} x as ${degree(measure)}`;
      return [name, readable(value), readable(min), readable(max), verdict];
    },
  );
  const missing = measure.ours === null ? [["ours", "-", "-", "-", ""]] : [];
  return `${table([header, ...missing, ...rows])}\n${measure.samples} samples each, in turns; ${measure.note}`;
}

function degree({ better, unit }: ReportedMeasure): string {
  if (better === "higher") return "much";
  return unit === "B" ? "small" : "fast";
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
}
