import { useState } from "react";
import { Field, SelectField, TextField } from "./field.tsx";

/** What of JSON Schema (2020-12) becomes fields of its own; anything else is typed as JSON. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly examples?: readonly unknown[];
}

/** A payload to start with: what the schema says by itself, and empty values for what it requires. */
export function exampleOf(schema: Schema | undefined, depth = 0): unknown {
  if (schema === undefined) return {};
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.examples !== undefined) return schema.examples[0];
  if (schema.enum !== undefined) return schema.enum[0];
  switch (typeOf(schema)) {
    case "object":
      return Object.fromEntries(
        depth > 4
          ? []
          : Object.entries(schema.properties ?? {}).flatMap(([name, one]) =>
              (schema.required ?? []).includes(name) ? [[name, exampleOf(one, depth + 1)]] : [],
            ),
      );
    case "array":
      return [];
    case "integer":
    case "number":
      return schema.minimum ?? 0;
    case "boolean":
      return false;
    case "null":
      return null;
    default:
      return "";
  }
}

/** A form for a value of the schema. Calls back with each change; a field that is no JSON keeps the last good value. */
export function SchemaForm(props: { schema: Schema; value: unknown; onChange: (value: unknown) => void }) {
  const { schema, value, onChange } = props;
  if (typeOf(schema) !== "object" || schema.properties === undefined || typeof value !== "object" || value === null) {
    return <JsonField label="Payload" schema={schema} value={value} onChange={onChange} />;
  }
  const fields = value as Readonly<Record<string, unknown>>;
  const required = schema.required ?? [];
  const set = (name: string, next: unknown): void => {
    const { [name]: _gone, ...rest } = fields;
    onChange(next === undefined ? rest : { ...fields, [name]: next });
  };
  return (
    <div className="stack">
      {Object.entries(schema.properties).map(([name, one]) => (
        <Property
          key={name}
          name={name}
          schema={one}
          isRequired={required.includes(name)}
          value={fields[name]}
          onChange={(next) => set(name, next)}
        />
      ))}
    </div>
  );
}

function Property(props: {
  name: string;
  schema: Schema;
  isRequired: boolean;
  value: unknown;
  onChange: (value: unknown) => void;
}) {
  const { name, schema, isRequired, value, onChange } = props;
  const label = isRequired ? name : `${name} (optional)`;
  const hint = schema.description;
  const text = value === undefined ? "" : String(value);
  if (schema.enum !== undefined) {
    const options = schema.enum.map(String);
    return (
      <SelectField
        label={label}
        hint={hint}
        value={text}
        options={isRequired ? options : ["", ...options]}
        onChange={(next) => onChange(next === "" && !isRequired ? undefined : schema.enum?.find((one) => String(one) === next))}
      />
    );
  }
  switch (typeOf(schema)) {
    case "string":
      return (
        <TextField
          label={label}
          hint={hint}
          value={text}
          onChange={(next) => onChange(next === "" && !isRequired ? undefined : next)}
        />
      );
    case "integer":
    case "number":
      return (
        <TextField
          label={label}
          type="number"
          hint={hint}
          value={text}
          problem={value !== undefined && Number.isNaN(value) ? "A number is wanted here." : undefined}
          onChange={(next) => onChange(next === "" ? undefined : Number(next))}
        />
      );
    case "boolean":
      return (
        <Field label={label} hint={hint}>
          {(ids) => (
            <input {...ids} type="checkbox" checked={value === true} onChange={(event) => onChange(event.target.checked)} />
          )}
        </Field>
      );
    default:
      return <JsonField label={label} schema={schema} value={value} onChange={onChange} />;
  }
}

function JsonField(props: { label: string; schema: Schema; value: unknown; onChange: (value: unknown) => void }) {
  const { label, schema, value, onChange } = props;
  const [text, setText] = useState(() => (value === undefined ? "" : JSON.stringify(value, null, 2)));
  const [problem, setProblem] = useState<string>();
  return (
    <TextField
      label={label}
      rows={4}
      hint={schema.description ?? "JSON; a text needs its quotes."}
      value={text}
      problem={problem}
      onChange={(next) => {
        setText(next);
        try {
          onChange(next.trim() === "" ? undefined : JSON.parse(next));
          setProblem(undefined);
        } catch (error) {
          setProblem((error as Error).message);
        }
      }}
    />
  );
}

function typeOf({ type, properties }: Schema): string | undefined {
  const first = typeof type === "string" ? type : type?.find((one) => one !== "null");
  return first ?? (properties === undefined ? undefined : "object");
}
