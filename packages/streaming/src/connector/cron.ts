import { type Clock, wait } from "@metanode/core/clock";
import { z } from "zod";
import type { ReadOptions, Source, SourceBatch } from "../delivery/source.ts";
import { streamError } from "../errors.ts";
import { defineBuiltIn } from "../stage/built-in.ts";

const settings = z.object({
  schedule: z.string().min(1).describe("Minute, hour, day, month, weekday; with six fields the first is the second."),
  timezone: z.string().optional().describe("An IANA name such as `Europe/Berlin`. @default that of the machine"),
  missed: z
    .enum(["all", "last", "none"])
    .default("all")
    .describe("What becomes of the times that went by while nothing ran: each is a record, the last one is, or none."),
  maxMissed: z.int().min(1).default(1_000).describe("Most records of missed times at a start; the latest count."),
  data: z.unknown().optional().describe("Goes along in every record."),
});

/** The clock on the wall can be set: it is looked at again at least so often. */
const LONGEST_WAIT_MS = 30_000;

/** A time of the schedule. */
interface Tick {
  /** When it was due, as RFC 3339. */
  readonly at: string;
  readonly data?: unknown;
}

/**
 * `cron`: a record for each time of a schedule, `{ at, data }`.
 *
 * Position: the last time that was given. Replays: yes with `missed: "all"`, as every time since then is given, also those at which
 * nothing ran; with `last` all that was missed or in flight becomes one record, with `none` it is lost. A new graph begins now.
 */
export const cron = defineBuiltIn({
  name: "cron",
  summary: "Gives a record for each time of a schedule.",
  settings,
  make: (given) => ({
    ...(given.missed === "none" ? { replays: false } : {}),
    ...(given.missed === "last" ? { renumbers: true } : {}),
    source: ({ clock }) => openSchedule(given, clock),
  }),
});

async function openSchedule(
  { schedule, timezone, missed, maxMissed, data }: z.infer<typeof settings>,
  clock: Clock,
): Promise<Source> {
  const { Cron } = await import("croner");
  let times: InstanceType<typeof Cron>;
  try {
    times = new Cron(schedule, { paused: true, ...(timezone === undefined ? {} : { timezone }) });
    times.nextRun(); // which is when it finds that there is no such time zone
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw streamError("stream.graph", `${JSON.stringify(schedule)} is no schedule: ${found}`, { cause });
  }
  const nowMs = (): number => clock.wallNow?.() ?? clock.now();
  const after = (ms: number): number | undefined => times.nextRun(new Date(ms))?.getTime();
  const tick = (ms: number): Tick => ({ at: new Date(ms).toISOString(), ...(data === undefined ? {} : { data }) });
  return {
    read: async function* ({ position, signal }: ReadOptions): AsyncGenerator<SourceBatch> {
      let last = position === undefined ? nowMs() : Number(position);
      if (position === undefined) yield { records: [], position: String(last) };
      const keep = missed === "all" ? maxMissed : missed === "last" ? 1 : 0;
      const due = dueUntil(after, { fromMs: last, toMs: nowMs(), keep });
      if (due.length > 0) yield { records: due.map(tick), position: String(due.at(-1)) };
      last = Math.max(last, due.at(-1) ?? nowMs());
      for (let next = after(last); next !== undefined && !signal.aborted; ) {
        const restMs = next - nowMs();
        if (restMs > 0) {
          await wait(clock, Math.min(restMs, LONGEST_WAIT_MS), signal).catch(() => undefined);
          continue;
        }
        yield { records: [tick(next)], position: String(next) };
        next = after(next);
      }
    },
  };
}

/** The times after `fromMs` that are not later than `toMs`: the last ones of them. */
function dueUntil(
  after: (ms: number) => number | undefined,
  { fromMs, toMs, keep }: { fromMs: number; toMs: number; keep: number },
): number[] {
  const due: number[] = [];
  if (keep === 0) return due;
  for (let next = after(fromMs); next !== undefined && next <= toMs; next = after(next)) {
    due.push(next);
    if (due.length > keep) due.shift();
  }
  return due;
}
