type Check = (value: unknown) => boolean;

const TYPES = new Set(["array", "boolean", "integer", "null", "number", "object", "string"]);
const DRAFT = /^https:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isAnything: Check = () => true;
const isText: Check = (value) => typeof value === "string";
const isFlag: Check = (value) => typeof value === "boolean";
const isNumber: Check = (value) => typeof value === "number" && Number.isFinite(value);
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isType: Check = (value) => TYPES.has(value as string);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const recordOf =
  (check: Check): Check =>
  (value) =>
    isObject(value) && Object.values(value).every(check);
const isTextSet: Check = (value) => listOf(isText)(value) && new Set(value as string[]).size === (value as string[]).length;
const isPattern: Check = (value) => typeof value === "string" && !value.includes("\\Z") && canCompile(value);

const KEYWORDS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ["$schema", (value) => typeof value === "string" && DRAFT.test(value)],
  ["$ref", (value) => typeof value === "string" && /^#(\/[\w.$-]+)*$/.test(value)],
  ["$defs", recordOf(isPlainSchema)],
  ["$comment", isText],
  ["title", isText],
  ["description", isText],
  ["default", isAnything],
  ["examples", listOf(isAnything)],
  ["deprecated", isFlag],
  ["readOnly", isFlag],
  ["writeOnly", isFlag],
  ["type", (value) => isType(value) || (isTextSet(value) && (value as unknown[]).length > 0 && listOf(isType)(value))],
  ["const", isAnything],
  ["enum", (value) => listOf(isAnything)(value) && (value as unknown[]).length > 0],
  ["properties", recordOf(isPlainSchema)],
  ["required", isTextSet],
  ["additionalProperties", isPlainSchema],
  ["propertyNames", isPlainSchema],
  ["minProperties", isCount],
  ["maxProperties", isCount],
  ["items", isPlainSchema],
  ["prefixItems", isSomeSchemas],
  ["minItems", isCount],
  ["maxItems", isCount],
  ["uniqueItems", isFlag],
  ["minLength", isCount],
  ["maxLength", isCount],
  ["pattern", isPattern],
  ["format", isText],
  ["minimum", isNumber],
  ["maximum", isNumber],
  ["exclusiveMinimum", isNumber],
  ["exclusiveMaximum", isNumber],
  ["multipleOf", (value) => isNumber(value) && (value as number) > 0],
  ["allOf", isSomeSchemas],
  ["anyOf", isSomeSchemas],
  ["oneOf", isSomeSchemas],
  ["not", isPlainSchema],
]);

/**
 * Whether it is certain that this is a JSON Schema (2020-12), one that refers to nothing outside of itself. False says nothing:
 * it holds what is unusual, or wrong. Takes microseconds; to compile the schema of schemas takes Ajv some 60 ms.
 */
export function isPlainSchema(schema: unknown): boolean {
  if (typeof schema === "boolean") return true;
  return isObject(schema) && Object.entries(schema).every(([keyword, value]) => KEYWORDS.get(keyword)?.(value) === true);
}

function isSomeSchemas(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isPlainSchema);
}

function canCompile(pattern: string): boolean {
  try {
    new RegExp(pattern, "u");
    return true;
  } catch {
    return false;
  }
}
