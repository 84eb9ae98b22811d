import { createRequire } from "node:module";
import type { Ajv as AjvClass, ValidateFunction } from "ajv";
import { natureError } from "../errors.ts";

/** Where a value breaks its schema; undefined = it does not. */
export type Validator = (value: unknown) => { readonly path: string; readonly text: string } | undefined;

const validators = new WeakMap<object, Validator>();
let ajv: AjvClass | undefined;

/** The validator of a JSON Schema (2020-12), compiled when first needed. @throws meta.invalid – it is no schema */
export function validatorOf(schema: object): Validator {
  let found = validators.get(schema);
  if (found === undefined) {
    found = compile(schema);
    validators.set(schema, found);
  }
  return found;
}

function compile(schema: object): Validator {
  // Loaded with the first schema: most metas have none, and it is not small.
  ajv ??= new (createRequire(import.meta.url)("ajv/dist/2020.js").default as typeof AjvClass)({
    strict: false,
    addUsedSchema: false,
  });
  let validate: ValidateFunction;
  try {
    validate = ajv.compile(schema);
  } catch (cause) {
    throw natureError("meta.invalid", `fields is no JSON Schema: ${(cause as Error).message}`, { cause });
  }
  return (value) => {
    if (validate(value)) return undefined;
    const first = validate.errors?.[0];
    return { path: first?.instancePath ?? "", text: first?.message ?? "breaks the schema" };
  };
}

/** Keywords that make an object a JSON Schema rather than any other JSON. */
const KEYWORDS = [
  ..."$schema $id $ref $defs type properties required additionalProperties items prefixItems enum const".split(" "),
  ..."allOf anyOf oneOf not if minimum maximum minLength maxLength pattern format".split(" "),
];

/** Whether a value is a JSON Schema that says something. */
export function isSchema(value: unknown): value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  if (!KEYWORDS.some((keyword) => Object.hasOwn(value, keyword))) return false;
  try {
    validatorOf(value);
    return true;
  } catch {
    return false;
  }
}
