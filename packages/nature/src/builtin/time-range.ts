import { createRequire } from "node:module";
import { intWithin } from "@metanode/core/internal";
import type { DateTime, Zone } from "luxon";
import { natureError } from "../errors.ts";
import type { ConvertRequest, ConvertResult } from "../executor/executor.ts";
import { oneOf, optionalFlag, optionalText, refuse } from "../shape.ts";
import { parseSettings, timePart, type Window } from "./settings.ts";

/**
 * The window of time that a moment lies in. Windows of one setting follow each other without gaps and never overlap. All times are
 * milliseconds since the Unix epoch.
 *
 *  | unit | value | windows |
 *  |---|---|---|
 *  | `s` `m` | how many, 0 = 1 | counted from the epoch |
 *  | `h` `d` | how many, 0 = 1 | counted on the clock and the calendar of the zone, from 1970-01-01 00:00 there |
 *  | `w` | -7 to 6 | seven days from a weekday, 0 = Monday, -1 = Sunday |
 *  | `M` | -20 to 19 | a month, from so many days after its first day, or before its end |
 *  | `y` | -200 to 199 | a year, from so many days after its first day, or before its end |
 *
 * Where clocks are put forward or back, windows of the zone's clock are shorter or longer by as much.
 */

const UNITS = ["s", "m", "h", "d", "w", "M", "y"] as const;
type Unit = (typeof UNITS)[number];

/** The settings of `time_range`, resolved. */
export interface TimeRangeSettings {
  readonly unit: Unit;
  readonly value: number;
  /** The part of the para that tells the time; undefined = when the upstream was made. */
  readonly part: number | undefined;
  readonly zone: Zone;
}

/** Bounds of `value`, as the model has them. */
const BOUNDS: Readonly<Record<Unit, readonly [number, number]>> = {
  s: [0, 32_767],
  m: [0, 32_767],
  h: [0, 32_767],
  d: [0, 32_767],
  w: [-7, 6],
  M: [-20, 19],
  y: [-200, 199],
};
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** One empty instance whose para is `begin/end`. @throws config.invalid; instance.invalid – the para has no time there */
export function timeRange({ from, settings }: ConvertRequest): ConvertResult {
  const resolved = timeRangeSettings(settings);
  const atMs = resolved.part === undefined ? from.createdMs : timePart(from.para, resolved.part);
  const { beginMs, endMs } = windowAround(resolved, atMs);
  return { type: "instances", instances: [{ para: `${beginMs}/${endMs}` }] };
}

/** @throws config.invalid */
export function timeRangeSettings(text: string): TimeRangeSettings {
  const given = parseSettings("time_range", text, ["unit", "value", "on_para", "time_part", "zone"]);
  const unit = oneOf("time_range.unit", given.unit ?? "s", UNITS);
  const [min, max] = BOUNDS[unit];
  const onPara = optionalFlag("time_range.on_para", given.on_para) ?? false;
  return {
    unit,
    value: intWithin("time_range.value", given.value ?? 0, min, max),
    part: onPara ? intWithin("time_range.time_part", given.time_part ?? 0, 0, 255) : undefined,
    zone: zoneOf(optionalText("time_range.zone", given.zone) ?? "UTC"),
  };
}

let loaded: typeof import("luxon") | undefined;

/** Loaded with the first window: most nodes cut none, and it is not small. */
function luxon(): typeof import("luxon") {
  loaded ??= createRequire(import.meta.url)("luxon") as typeof import("luxon");
  return loaded;
}

const OFFSET = /^[+-](0\d|1[0-4]):[0-5]\d$/;

function zoneOf(name: string): Zone {
  const { FixedOffsetZone, IANAZone } = luxon();
  if (name === "UTC") return FixedOffsetZone.utcInstance;
  const zone = OFFSET.test(name) ? FixedOffsetZone.parseSpecifier(`UTC${name}`) : IANAZone.create(name);
  if (zone?.isValid) return zone;
  return refuse("time_range.zone", name, "a time zone like Europe/Berlin, +08:00 or UTC");
}

/** The window around a moment. @throws instance.invalid – the moment is beyond what a calendar knows */
export function windowAround({ unit, value, zone }: TimeRangeSettings, atMs: number): Window {
  const local = luxon().DateTime.fromMillis(atMs, { zone });
  if (!local.isValid) throw natureError("instance.invalid", `${atMs} ms since 1970 is a time beyond every calendar`);
  const count = Math.max(1, value);
  switch (unit) {
    case "s":
      return counted(atMs, count * SECOND_MS);
    case "m":
      return counted(atMs, count * MINUTE_MS);
    case "h":
      return onClock(local, count * HOUR_MS);
    case "d":
      return onClock(local, count * DAY_MS);
    case "w":
      return weekly(local, (value + 7) % 7);
    case "M":
      return anchored(local, "month", value);
    case "y":
      return anchored(local, "year", value);
  }
}

function counted(atMs: number, sizeMs: number): Window {
  const beginMs = Math.floor(atMs / sizeMs) * sizeMs;
  return { beginMs, endMs: beginMs + sizeMs };
}

/** Counts on the clock that hangs on the wall: what it shows, taken as if it were UTC. */
function onClock(local: DateTime, sizeMs: number): Window {
  const shownMs = local.toMillis() + offsetMs(local.zone, local.toMillis());
  const { beginMs, endMs } = counted(shownMs, sizeMs);
  return { beginMs: momentOf(beginMs, local.zone), endMs: momentOf(endMs, local.zone) };
}

function weekly(local: DateTime, weekday: number): Window {
  const back = (local.weekday - 1 - weekday + 7) % 7;
  const begin = dayShown(local) - back * DAY_MS;
  return { beginMs: momentOf(begin, local.zone), endMs: momentOf(begin + 7 * DAY_MS, local.zone) };
}

/** From a day of a month or year to the same day of the next. */
function anchored(local: DateTime, unit: "month" | "year", value: number): Window {
  const day = dayShown(local);
  // A moment before this unit's anchor lies in the window of the one before, and never further away.
  const anchors = [-1, 0, 1, 2].map((steps) => anchorShown(local, unit, steps) + value * DAY_MS);
  const at = anchors.findLastIndex((anchor) => anchor <= day);
  return { beginMs: momentOf(anchors[at] as number, local.zone), endMs: momentOf(anchors[at + 1] as number, local.zone) };
}

/** The first day of a month or year. */
function anchorShown({ year, month }: DateTime, unit: "month" | "year", steps: number): number {
  return unit === "month" ? utcDay(year, month - 1 + steps) : utcDay(year + steps, 0);
}

function dayShown({ year, month, day }: DateTime): number {
  return utcDay(year, month - 1, day);
}

/** Date.UTC takes the years 0 to 99 for those of the twentieth century. */
function utcDay(year: number, monthIndex: number, day = 1): number {
  return new Date(0).setUTCFullYear(year, monthIndex, day);
}

/**
 * The first moment at which the clock of a zone shows this, or more where it leaps over it. The order of what is shown and the order of
 * moments are the same then, so windows neither overlap nor leave gaps.
 */
function momentOf(shownMs: number, zone: Zone): number {
  // No zone is further from UTC than a day, and between two of its changes lie more than two days.
  const before = offsetMs(zone, shownMs - DAY_MS);
  const after = offsetMs(zone, shownMs + DAY_MS);
  const early = shownMs - Math.max(before, after);
  const late = shownMs - Math.min(before, after);
  if (offsetMs(zone, early) === shownMs - early) return early;
  if (offsetMs(zone, late) === shownMs - late) return late;
  return firstMomentAfterLeap(early, late, zone);
}

/** Offsets of long ago have seconds, which luxon gives as a part of a minute. */
function offsetMs(zone: Zone, atMs: number): number {
  return Math.round(zone.offset(atMs) * MINUTE_MS);
}

/** The moment of the leap: between both, found by halving. */
function firstMomentAfterLeap(early: number, late: number, zone: Zone): number {
  const offset = zone.offset(early);
  let [low, high] = [early, late];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (zone.offset(middle) === offset) low = middle;
    else high = middle;
  }
  return high;
}
