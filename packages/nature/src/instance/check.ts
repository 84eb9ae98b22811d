import { natureError } from "../errors.ts";
import type { LoadedMeta } from "../meta/meta.ts";
import { type InstanceData, KEY_SEPARATOR } from "./instance.ts";
import { validatorOf } from "./schema.ts";

/** How much an instance may hold, in bytes of UTF-8. */
export interface DataLimits {
  readonly maxContentBytes: number;
  readonly maxContextBytes: number;
}

/** Checks what an instance says against the limits and the schema of its meta. @throws instance.too_large, instance.invalid */
export function checkData(meta: LoadedMeta, data: InstanceData, limits: DataLimits): void {
  if (typeof data.content !== "string") throw invalid(meta, "/content", `is ${typeof data.content}, expected text`);
  size(meta, "content", data.content, limits.maxContentBytes);
  checkText(meta, "/content", data.content);
  checkContext(meta, "context", data.context, limits.maxContextBytes);
  checkContext(meta, "sysContext", data.sysContext, limits.maxContextBytes);
  if (meta.fields !== undefined) checkFields(meta, data.content);
}

/** Longest para, in bytes of UTF-8: two of them have to fit into one entry of an index. */
const MAX_PARA_BYTES = 1_000;

/** Checks a para, which is a part of keys. @throws instance.invalid, instance.too_large */
export function checkPara(meta: LoadedMeta, para: unknown): asserts para is string {
  if (typeof para !== "string") throw invalid(meta, "/para", `is ${typeof para}, expected text`);
  if (para === "") return;
  if (para.includes(KEY_SEPARATOR)) throw invalid(meta, "/para", `is ${JSON.stringify(para)}; a para has no ${KEY_SEPARATOR}`);
  checkText(meta, "/para", para);
  size(meta, "para", para, MAX_PARA_BYTES);
}

/** Text that every database keeps as it is: PostgreSQL has no NUL, and half of a surrogate pair is no character. */
function checkText(meta: LoadedMeta, path: string, text: string): void {
  if (text.includes("\0")) throw invalid(meta, path, "holds the character NUL, which cannot be stored");
  if (!text.isWellFormed()) throw invalid(meta, path, "holds half of a surrogate pair, which is no character");
}

function checkContext(meta: LoadedMeta, path: string, context: Readonly<Record<string, string>>, maxBytes: number): void {
  const keys = Object.keys(context);
  if (keys.length === 0) return;
  for (const key of keys) {
    const value = context[key];
    if (typeof value !== "string") throw invalid(meta, `/${path}/${key}`, `is ${typeof value}, expected text`);
    checkText(meta, `/${path}/${key}`, key);
    checkText(meta, `/${path}/${key}`, value);
  }
  size(meta, path, JSON.stringify(context), maxBytes);
}

function size({ meta }: LoadedMeta, path: string, text: string, maxBytes: number): void {
  // Three bytes are the most that one code unit takes.
  if (text.length * 3 <= maxBytes) return;
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return;
  throw natureError("instance.too_large", `the ${path} of an instance of ${meta} has ${bytes} bytes, allowed are ${maxBytes}`, {
    details: { path: `/${path}`, bytes, maxBytes },
  });
}

function checkFields(meta: LoadedMeta, content: string): void {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (cause) {
    throw invalid(meta, "/content", `is no JSON, which the fields of its meta ask for: ${(cause as Error).message}`);
  }
  const problem = validatorOf(meta.fields as object)(value);
  if (problem !== undefined) throw invalid(meta, `/content${problem.path}`, problem.text);
}

function invalid({ meta }: LoadedMeta, path: string, what: string): Error {
  return natureError("instance.invalid", `an instance of ${meta}: ${path} ${what}`, { details: { meta, path } });
}
