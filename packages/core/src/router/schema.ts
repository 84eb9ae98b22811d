import { createRequire } from "node:module";
import type { Ajv2020, ErrorObject, ValidateFunction } from "ajv/dist/2020.js";
import { coreError } from "../errors.ts";
import { isPlainSchema } from "./plain-schema.ts";

/** Checks one payload. @throws {MetanodeError} message.schema – with the JSON Pointer of what does not fit. */
export type PayloadCheck = (data: unknown) => void;

/**
 * Makes a check of payloads from a JSON Schema (2020-12), compiled once. One that is certainly right is compiled with the first payload:
 * what compiles takes a node a tenth of its start to load, and the first message some 50 ms.
 * @throws {MetanodeError} config.invalid – the schema itself is wrong.
 */
export function compileSchema(type: string, schema: unknown): PayloadCheck {
  let validate = isCertain(schema) ? undefined : compile(type, schema);
  return (data) => {
    validate ??= compile(type, schema);
    if (validate(data === undefined ? null : data)) return;
    const [first] = validate.errors ?? [];
    const path = errorPath(first);
    throw coreError(
      "message.schema",
      `the payload of ${type} does not fit its schema at ${path || "its root"}: ${first?.message ?? "it is wrong"}`,
      {
        details: { path, errors: (validate.errors ?? []).map((error) => ({ path: errorPath(error), message: error.message })) },
      },
    );
  };
}

/** Whether nothing can be wrong with it that only its compilation would show. */
function isCertain(schema: unknown): boolean {
  return isPlainSchema(schema) && !JSON.stringify(schema).includes('"$ref"');
}

const require = createRequire(import.meta.url);

interface Means {
  readonly Validator: typeof Ajv2020;
  readonly addFormats: (validator: Ajv2020) => unknown;
}

let means: Means | undefined;

/** Loads what compiles. */
function load(): Means {
  means ??= {
    Validator: (require("ajv/dist/2020.js") as { Ajv2020: typeof Ajv2020 }).Ajv2020,
    addFormats: (require("ajv-formats") as { default: Means["addFormats"] }).default,
  };
  return means;
}

function compile(type: string, schema: unknown): ValidateFunction {
  try {
    // Ajv would compile the schema of schemas for each type anew: ten times the work of the type's own.
    const isPlain = isPlainSchema(schema);
    const { Validator, addFormats } = load();
    const ajv = new Validator({ strict: false, allErrors: false, meta: !isPlain, validateSchema: !isPlain });
    addFormats(ajv);
    return ajv.compile(schema as object);
  } catch (cause) {
    throw coreError("config.invalid", `the input schema of ${type} is no JSON Schema (2020-12): ${(cause as Error).message}`, {
      details: { type },
      cause,
    });
  }
}

/** A missing property is reported where it is missing, not on the object that lacks it. */
function errorPath(error: ErrorObject | undefined): string {
  if (error === undefined) return "";
  const params = error.params as { missingProperty?: string; additionalProperty?: string; unevaluatedProperty?: string };
  const property = params.missingProperty ?? params.additionalProperty ?? params.unevaluatedProperty;
  return property === undefined
    ? error.instancePath
    : `${error.instancePath}/${property.replace(/~/g, "~0").replace(/\//g, "~1")}`;
}
