import { Cron } from "croner";
import { actorError } from "../errors.ts";

/**
 * When a job runs. The parts of a text are minute, hour, day, month and weekday:
 *
 * | part | values | besides numbers, lists `a,b` and ranges `a-b` |
 * |---|---|---|
 * | minute, hour | 0 to 59, 0 to 23 | a star; a star or a range with a step, such as `0-30/5` |
 * | day | 1 to 31 | the same, and `L`, the last of the month |
 * | month | 1 to 12 | a star, also with a step |
 * | weekday | 1 (Monday) to 7 (Sunday) | a star; `dL`, the last such day of the month, and `d#n`, the n-th |
 *
 * A star without a step stands alone in its part. If neither day nor weekday is such a star, either is enough.
 */

interface Part {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Whether a star with a step is allowed, and whether a range with one is. */
  readonly hasStep: boolean;
  readonly hasRangeStep: boolean;
  /** What else an item can be. */
  readonly special?: RegExp;
}

const PARTS: readonly Part[] = [
  { name: "minute", min: 0, max: 59, hasStep: true, hasRangeStep: true },
  { name: "hour", min: 0, max: 23, hasStep: true, hasRangeStep: true },
  { name: "day", min: 1, max: 31, hasStep: true, hasRangeStep: true, special: /^L$/ },
  { name: "month", min: 1, max: 12, hasStep: true, hasRangeStep: false },
  { name: "weekday", min: 1, max: 7, hasStep: false, hasRangeStep: false, special: /^[1-7](L|#[1-5])$/ },
];

/** Off the hour, so that jobs that nobody gave a thought to do not all run at once. @source spec of the actor model, §7.4 */
const MACROS: Readonly<Record<string, string>> = {
  "@hourly": "1 * * * *",
  "@daily": "10 3 * * *",
  "@weekly": "30 5 * * 1",
  "@monthly": "20 4 1 * *",
};

const ITEM = /^(?:(\d+)(?:-(\d+)(?:\/(\d+))?)?|\*\/(\d+))$/;

/**
 * The times of one job, in one time zone.
 *
 * What a change of the clocks does to a job whose minute and hour are given outright (numbers, lists, ranges): a time that
 * the day leaves out runs at the first minute after the gap, and a time that comes twice runs at its first coming. A job with
 * a `*` or a step in either follows the clock on the wall: it leaves out what does not come and runs at both comings.
 */
export class CronTimes {
  /** As it was given. */
  readonly text: string;
  readonly timeZone: string;
  readonly #cron: Cron;

  /** @throws actor.cron_spec – which part, and why */
  constructor(text: string, timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone) {
    this.text = text;
    this.timeZone = checkZone(timeZone);
    const parts = checkTimes(text);
    this.#cron = new Cron(parts, { timezone: timeZone, mode: "5-part", fixedTimeRule: "no-wildcard" });
  }

  /** The first time after `afterMs`; undefined = never, such as a 30th of February. */
  next(afterMs: number): number | undefined {
    return this.#cron.nextRun(new Date(afterMs))?.getTime();
  }

  /** The times from `sinceMs` on and before `untilMs`, at most `limit`. */
  between(sinceMs: number, untilMs: number, limit: number): number[] {
    const found: number[] = [];
    let at = this.next(Math.ceil(sinceMs) - 1);
    while (at !== undefined && at < untilMs && found.length < limit) {
      found.push(at);
      at = this.next(at);
    }
    return found;
  }
}

/** The five parts of a text. @throws actor.cron_spec */
function checkTimes(text: string): string {
  const parts = (MACROS[text] ?? text).trim().split(/\s+/);
  if (parts.length !== PARTS.length) {
    const macros = Object.keys(MACROS).join(", ");
    throw wrong(text, `has ${parts.length} parts, expected minute, hour, day, month and weekday, or one of ${macros}`);
  }
  for (const [i, part] of PARTS.entries()) checkPart(text, part, parts[i] as string);
  return parts.join(" ");
}

function checkPart(text: string, part: Part, given: string): void {
  if (given === "*") return;
  for (const item of given.split(",")) {
    if (item === "*") throw wrong(text, `has * beside others as its ${part.name}, where it stands alone`);
    if (part.special?.test(item)) continue;
    const match = ITEM.exec(item);
    if (match === null) throw wrong(text, `has ${JSON.stringify(item)} as its ${part.name}, which is none`);
    checkItem(text, part, match);
  }
}

function checkItem(text: string, part: Part, [item, from, to, rangeStep, step]: RegExpExecArray): void {
  const { name, min, max } = part;
  for (const value of [from, to]) {
    if (value === undefined || (Number(value) >= min && Number(value) <= max)) continue;
    throw wrong(text, `has ${value} as its ${name}, expected ${min} to ${max}`);
  }
  if (to !== undefined && Number(from) > Number(to))
    throw wrong(text, `has the range ${item} as its ${name}, which goes backwards`);
  if (step !== undefined && !part.hasStep) throw wrong(text, `has the step ${item} as its ${name}, which takes none`);
  if (rangeStep !== undefined && !part.hasRangeStep) {
    throw wrong(text, `has the range ${item} as its ${name}, which takes no range with a step`);
  }
  const size = Number(step ?? rangeStep ?? 1);
  if (size < 1 || size > max - min + 1) throw wrong(text, `has a step of ${size} as its ${name}, expected 1 to ${max - min + 1}`);
}

function checkZone(timeZone: string): string {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return timeZone;
  } catch {
    throw actorError("actor.cron_spec", `no time zone is named ${JSON.stringify(timeZone)}; names are like Europe/Berlin`);
  }
}

function wrong(text: string, what: string): Error {
  return actorError("actor.cron_spec", `the cron job's ${JSON.stringify(text)} ${what}`);
}
