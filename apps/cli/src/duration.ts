import { coreError } from "@metanode/core/errors";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const UNIT_BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1_000,
  mb: 1_000_000,
  gb: 1_000_000_000,
  kib: 1_024,
  mib: 1_024 ** 2,
  gib: 1_024 ** 3,
};

/**
 * Milliseconds of `500ms`, `5s`, `1m30s`, `2h`. A number without a unit is refused: nobody agrees on which it would be.
 * @throws {MetanodeError} usage.invalid
 */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    throw coreError(
      "usage.invalid",
      `${JSON.stringify(text)} is no duration, expected a number with a unit such as 500ms, 5s, 1m30s or 2h`,
    );
  }
  return Math.round(parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNIT_MS[unit ?? ""] ?? 0), 0));
}

/** Milliseconds since the epoch of a time in ISO 8601 with its zone, or of an age such as `1h` before `nowMs`. @throws {MetanodeError} usage.invalid */
export function parseMoment(text: string, nowMs: number): number {
  if (/^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(text) && !Number.isNaN(Date.parse(text))) return Date.parse(text);
  if (/^[\d.]+[a-z]/.test(text)) return nowMs - parseDuration(text);
  throw coreError(
    "usage.invalid",
    `${JSON.stringify(text)} is no time, expected an age such as 1h, a day such as 2026-03-01, or 2026-03-01T08:00:00Z`,
  );
}

/** A length of time for people, in its two largest units: `850ms`, `12s`, `3m 20s`, `5d 4h`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  let left = Math.floor(ms / 1_000);
  const parts: string[] = [];
  for (const [unit, seconds] of [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
    ["s", 1],
  ] as const) {
    const amount = Math.floor(left / seconds);
    left -= amount * seconds;
    if (amount > 0 || parts.length > 0) parts.push(`${amount}${unit}`);
  }
  return parts
    .slice(0, 2)
    .filter((part) => !part.startsWith("0"))
    .join(" ");
}

/** Bytes of `512MiB`, `1GB` or a bare number. @throws {MetanodeError} usage.invalid */
export function parseBytes(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text) ?? [];
  const factor = UNIT_BYTES[(unit || "b").toLowerCase()];
  if (amount === undefined || factor === undefined) {
    throw coreError(
      "usage.invalid",
      `${JSON.stringify(text)} is no size, expected bytes or a number with a unit such as 512MiB or 1GB`,
    );
  }
  return Math.round(Number(amount) * factor);
}

/** Bytes for people: `84.2 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let index = 0;
  while (value >= 1_024 && index < units.length - 1) {
    value /= 1_024;
    index++;
  }
  return index === 0 ? `${value} B` : `${value.toFixed(1)} ${units[index]}`;
}
