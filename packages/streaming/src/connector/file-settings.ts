import { z } from "zod";
import { codecSetting, maxRecordBytesSetting } from "./codec-setting.ts";

/** What a node says about a file that it reads. */
export const fileReadSettings = z.object({
  path: z.string().min(1).describe("The file."),
  codec: codecSetting,
  follow: z.boolean().default(false).describe("Goes on with what is added, also after the file was rotated or truncated."),
  from: z.enum(["begin", "end"]).default("begin").describe("Where to begin with a file that is followed."),
  pollMs: z.int().min(1).default(1_000).describe("How often a followed file is looked at where the system tells of no change."),
  blockBytes: z.int().min(4_096).max(16_777_216).default(262_144).describe("How much is read at a time, in bytes."),
  maxRecordBytes: maxRecordBytesSetting,
});

/** What the readers of a file are told. */
export type FileReadSettings = z.infer<typeof fileReadSettings>;
