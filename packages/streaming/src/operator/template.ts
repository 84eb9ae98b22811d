import { textOf } from "../record/value.ts";
import { pathReader } from "./paths.ts";

/** Makes texts out of values: a path in braces stands for what is there, or for nothing where there is nothing; `{{` and `}}` for a brace. */
export function templateWriter(template: string): (value: unknown) => string {
  const parts = [...template.matchAll(/\{\{|\}\}|\{([^{}]*)\}|[^{}]+|[{}]/g)].map(([text, path]) => {
    if (path === undefined) return text === "{{" ? "{" : text === "}}" ? "}" : text;
    return pathReader(path.trim());
  });
  return (value) => parts.map((part) => (typeof part === "string" ? part : plain(part(value)))).join("");
}

function plain(found: unknown): string {
  return found === undefined || found === null ? "" : textOf(found);
}
