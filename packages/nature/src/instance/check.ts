import { natureError } from "../errors.ts";
import type { LoadedMeta } from "../meta/meta.ts";
import type { InstanceData } from "./instance.ts";
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
  checkContext(meta, "context", data.context, limits.maxContextBytes);
  checkContext(meta, "sysContext", data.sysContext, limits.maxContextBytes);
  if (meta.fields !== undefined) checkFields(meta, data.content);
}

function checkContext(meta: LoadedMeta, path: string, context: Readonly<Record<string, string>>, maxBytes: number): void {
  const keys = Object.keys(context);
  if (keys.length === 0) return;
  for (const key of keys) {
    if (typeof context[key] !== "string") throw invalid(meta, `/${path}/${key}`, `is ${typeof context[key]}, expected text`);
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
