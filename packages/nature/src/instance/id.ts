import { natureError } from "../errors.ts";
import type { InstanceId } from "./instance.ts";

/** The highest id. */
export const MAX_ID = 2n ** 64n - 1n;

const ID = /^\d{1,20}$/;

/** A number of 64 bits in decimal digits, without zeros before it. @throws instance.invalid */
export function checkId(text: string): InstanceId {
  if (ID.test(text) && BigInt(text) <= MAX_ID) return BigInt(text).toString();
  throw natureError("instance.invalid", `the id is ${JSON.stringify(text)}, expected a whole number from 0 to ${MAX_ID}`, {
    details: { path: "/id" },
  });
}
