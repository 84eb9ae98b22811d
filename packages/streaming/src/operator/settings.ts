import { z } from "zod";

export const Path = z.string().describe("A path into the value of a record: `user.id`.");
export const Milliseconds = z.number().positive();
export const Disorder = z
  .number()
  .min(0)
  .optional()
  .describe("How much out of order records may come, in milliseconds. @default 0");

type Given<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

/** Only what is there: a setting that is left out is not one that is undefined. */
export function given<T extends object>(settings: T): Given<T> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as Given<T>;
}
