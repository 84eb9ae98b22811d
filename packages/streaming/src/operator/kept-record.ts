/** A record in a form that JSON can hold: bytes would come back as something else. */
export type KeptRecord = { readonly value: unknown } | { readonly base64: string };

export function keepRecord(record: unknown): KeptRecord {
  if (!(record instanceof Uint8Array)) return { value: record };
  return { base64: Buffer.from(record.buffer, record.byteOffset, record.byteLength).toString("base64") };
}

export function keptRecord(kept: KeptRecord): unknown {
  return "base64" in kept ? Buffer.from(kept.base64, "base64") : kept.value;
}
