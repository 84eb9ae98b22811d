import { coreError } from "../errors.ts";
import { intWithin, rejectUnknownKeys } from "../options.ts";
import type { ConsumerOptions, StreamOptions } from "./log.ts";

/** Stream options with nothing left open. */
export type ResolvedStreamOptions = Readonly<Required<StreamOptions>>;

/** Consumer options with nothing left open. */
export type ResolvedConsumerOptions = Readonly<Required<ConsumerOptions>>;

const SEVEN_DAYS_MS = 604_800_000;
const GIB = 1_073_741_824;
const MIB = 1_048_576;
/** Half of what SQLite takes as one value (1e9 bytes), so that attributes and payload fit however they are split. */
const LARGEST_MESSAGE_BYTES = 500_000_000;
/** No timer and no backoff of the log is longer: about a year. */
const LONGEST_MS = 31_536_000_000;
const NAME = /^[A-Za-z0-9._:/@+~-]{1,128}$/;

/** Completes stream options. @throws {MetanodeError} config.invalid – `details.path` names the option. */
export function resolveStreamOptions(given: StreamOptions = {}): ResolvedStreamOptions {
  rejectUnknownKeys("stream", given, ["keep", "maxAgeMs", "maxBytes", "maxMessages", "dedupWindowMs", "maxMessageBytes"]);
  const keep = given.keep ?? "until-consumed";
  if (keep !== "until-consumed" && keep !== "by-limits") {
    throw coreError("config.invalid", `stream.keep is ${JSON.stringify(keep)}, expected "until-consumed" or "by-limits"`, {
      details: { path: "stream.keep", expected: ["until-consumed", "by-limits"] },
    });
  }
  return Object.freeze({
    keep,
    maxAgeMs: intWithin("stream.maxAgeMs", given.maxAgeMs ?? (keep === "by-limits" ? SEVEN_DAYS_MS : 0), 0),
    maxBytes: intWithin("stream.maxBytes", given.maxBytes ?? 8 * GIB, 1),
    maxMessages: intWithin("stream.maxMessages", given.maxMessages ?? 50_000_000, 1),
    dedupWindowMs: intWithin("stream.dedupWindowMs", given.dedupWindowMs ?? 120_000, 0),
    maxMessageBytes: intWithin("stream.maxMessageBytes", given.maxMessageBytes ?? 8 * MIB, 1, LARGEST_MESSAGE_BYTES),
  });
}

const CONSUMER_KEYS = [
  "name",
  "onDelivery",
  "from",
  "maxInFlight",
  "maxWaiting",
  "ackWaitMs",
  "maxAttempts",
  "backoffMs",
] satisfies (keyof ConsumerOptions)[];

/** Completes consumer options. @throws {MetanodeError} config.invalid – `details.path` names the option. */
export function resolveConsumerOptions(given: ConsumerOptions): ResolvedConsumerOptions {
  rejectUnknownKeys("consumer", given, CONSUMER_KEYS);
  const from = given.from ?? "first";
  if (from !== "first" && from !== "new") {
    throw coreError("config.invalid", `consumer.from is ${JSON.stringify(from)}, expected "first" or "new"`, {
      details: { path: "consumer.from", expected: ["first", "new"] },
    });
  }
  if (typeof given.onDelivery !== "function") {
    throw coreError("config.invalid", `consumer.onDelivery is ${typeof given.onDelivery}, expected a function`, {
      details: { path: "consumer.onDelivery" },
    });
  }
  const backoffMs = given.backoffMs ?? [100, 500, 2_000, 10_000, 30_000];
  if (!Array.isArray(backoffMs) || backoffMs.length === 0) {
    throw coreError("config.invalid", "consumer.backoffMs is empty, expected at least one delay in milliseconds", {
      details: { path: "consumer.backoffMs" },
    });
  }
  return Object.freeze({
    name: checkName("consumer.name", given.name),
    onDelivery: given.onDelivery,
    from,
    maxInFlight: intWithin("consumer.maxInFlight", given.maxInFlight ?? 256, 1, 65_536),
    maxWaiting: intWithin("consumer.maxWaiting", given.maxWaiting ?? 10_000, 1, 1_000_000),
    ackWaitMs: intWithin("consumer.ackWaitMs", given.ackWaitMs ?? 30_000, 1, LONGEST_MS),
    maxAttempts: intWithin("consumer.maxAttempts", given.maxAttempts ?? 10, 1),
    backoffMs: backoffMs.map((delayMs, index) => intWithin(`consumer.backoffMs.${index}`, delayMs, 0, LONGEST_MS)),
  });
}

/** A name of a stream or consumer that every implementation can hold. @throws {MetanodeError} config.invalid */
export function checkName(path: string, name: unknown): string {
  if (typeof name === "string" && NAME.test(name)) return name;
  const shown = typeof name === "string" ? JSON.stringify(name.slice(0, 80)) : String(name);
  throw coreError("config.invalid", `${path} is ${shown}, expected 1 to 128 letters, digits or . _ : / @ + ~ -`, {
    details: { path, expected: NAME.source },
  });
}
