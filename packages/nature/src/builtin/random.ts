import { randomInt } from "node:crypto";
import { intWithin } from "@metanode/core/internal";
import type { ConvertRequest, ConvertResult } from "../executor/executor.ts";
import { oneOf } from "../shape.ts";
import { parseSettings } from "./settings.ts";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DIGITS = "0123456789";
const ALPHABETS = { digits: DIGITS, letters: LETTERS, both: DIGITS + LETTERS } as const;

/**
 * One instance whose content is drawn by chance, good enough for secrets: `length` (1 to 1,024, default 16) of `digits`, `letters` or `both`
 * (the default). Done again after a crash it may be drawn again; what was stored first stays.
 * @throws config.invalid
 */
export function random({ settings }: ConvertRequest): ConvertResult {
  const given = parseSettings("random", settings, ["length", "of"]);
  const length = intWithin("random.length", given.length ?? 16, 1, 1_024);
  const alphabet = ALPHABETS[oneOf("random.of", given.of ?? "both", ["digits", "letters", "both"])];
  const content = Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join("");
  return { type: "instances", instances: [{ content }] };
}
