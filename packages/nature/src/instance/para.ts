import { natureError } from "../errors.ts";
import { PARA_SEPARATOR } from "./instance.ts";

/** The parts of a para; an empty one has one empty part. */
export function paraParts(para: string): string[] {
  return para.split(PARA_SEPARATOR);
}

/** The parts at these indexes (from 0), in their order, and what is left. @throws instance.invalid – no such part */
export function pickPara(para: string, indexes: readonly number[]): { readonly picked: string; readonly rest: string } {
  if (indexes.length === 0) return { picked: "", rest: "" };
  const parts = paraParts(para);
  const picked = indexes.map((index) => {
    const part = parts[index];
    if (part !== undefined) return part;
    throw natureError("instance.invalid", `para ${JSON.stringify(para)} has ${parts.length} parts, none has the index ${index}`, {
      details: { para, index },
    });
  });
  return { picked: picked.join(PARA_SEPARATOR), rest: parts.filter((_, index) => !indexes.includes(index)).join(PARA_SEPARATOR) };
}

/** Both joined, without a separator beside an empty one. */
export function appendPara(para: string, added: string): string {
  if (para === "") return added;
  return added === "" ? para : `${para}${PARA_SEPARATOR}${added}`;
}
