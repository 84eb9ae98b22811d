import { type Clock, wait } from "@metanode/core/clock";
import { z } from "zod";
import type { ReadOptions, Source, SourceBatch } from "../delivery/source.ts";
import { defineBuiltIn } from "../stage/built-in.ts";

/** Records that travel together when nothing holds them back. */
const BATCH_RECORDS = 512;
/** After so many of them everybody else gets a turn: stages that answer at once never let go of the event loop. */
const TURN_RECORDS = 32 * BATCH_RECORDS;

const settings = z.object({
  count: z.int().min(0).optional().describe("How many records; without it, it never ends."),
  intervalMs: z.number().positive().optional().describe("Time between two records, in milliseconds."),
  ratePerSecond: z.number().positive().optional().describe("Records per second; instead of `intervalMs`."),
  template: z.unknown().optional().describe('The record, in which the text "{n}" stands for its number. @default the number'),
});

/**
 * `generate`: records out of nothing, numbered from 0; for trials, benchmarks and heartbeats.
 *
 * Position: how many it has given. Replays: the same records again. Its pace begins anew with each run: what a stop has made
 * late is not made up for.
 */
export const generate = defineBuiltIn({
  name: "generate",
  summary: "Gives numbered records, as fast as they are taken or at a pace.",
  settings,
  make: ({ count, intervalMs, ratePerSecond, template }) => ({
    source: ({ clock }) => {
      const everyMs = intervalMs ?? (ratePerSecond === undefined ? 0 : 1_000 / ratePerSecond);
      const record = template === undefined ? (number: number) => number : (number: number) => fill(template, number);
      return numbers({ clock, record, everyMs, count: count ?? Number.POSITIVE_INFINITY });
    },
  }),
});

interface NumbersOptions {
  readonly clock: Clock;
  readonly record: (number: number) => unknown;
  /** 0 for no pace. */
  readonly everyMs: number;
  readonly count: number;
}

function numbers({ clock, record, everyMs, count }: NumbersOptions): Source {
  return {
    read: async function* ({ position, signal }: ReadOptions): AsyncGenerator<SourceBatch> {
      const first = Number(position ?? 0);
      const beganMs = clock.now();
      for (let next = first; next < count && !signal.aborted; ) {
        let end = Math.min(count, next + BATCH_RECORDS);
        if (everyMs > 0) {
          const dueMs = beganMs + (next - first + 1) * everyMs;
          await wait(clock, dueMs - clock.now(), signal).catch(() => undefined);
          if (signal.aborted) return;
          const due = first + Math.floor((clock.now() - beganMs) / everyMs);
          end = Math.min(end, Math.max(due, next + 1));
        }
        const records: unknown[] = [];
        while (next < end) records.push(record(next++));
        yield { records, position: String(next) };
        if (next % TURN_RECORDS < records.length) await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

/** The template with its number in: a text that is nothing but the mark becomes the number itself. */
function fill(template: unknown, number: number): unknown {
  if (typeof template === "string") return template === "{n}" ? number : template.replaceAll("{n}", String(number));
  if (Array.isArray(template)) return template.map((item) => fill(item, number));
  if (typeof template !== "object" || template === null) return template;
  return Object.fromEntries(Object.entries(template).map(([key, value]) => [key, fill(value, number)]));
}
