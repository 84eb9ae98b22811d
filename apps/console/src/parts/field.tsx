import { type ReactNode, useId } from "react";

/** A labelled input, with a hint and what is wrong with its value. */
export function Field(props: {
  label: string;
  hint?: ReactNode;
  problem?: string | undefined;
  children: (ids: { id: string; "aria-describedby": string; "aria-invalid": boolean | undefined }) => ReactNode;
}) {
  const { label, hint, problem, children } = props;
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-describedby": `${id}-hint`, "aria-invalid": problem === undefined ? undefined : true })}
      <small id={`${id}-hint`}>{problem === undefined ? hint : <span role="alert">{problem}</span>}</small>
    </div>
  );
}

export function TextField(props: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  hint?: ReactNode;
  problem?: string | undefined;
  placeholder?: string;
  rows?: number;
  type?: string;
}) {
  const { label, value, onChange, hint, problem, placeholder, rows, type = "text" } = props;
  return (
    <Field label={label} hint={hint} problem={problem}>
      {(ids) =>
        rows === undefined ? (
          <input
            {...ids}
            className="input"
            type={type}
            value={value}
            placeholder={placeholder}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => onChange(event.target.value)}
          />
        ) : (
          <textarea
            {...ids}
            className="input"
            rows={rows}
            value={value}
            placeholder={placeholder}
            spellCheck={false}
            onChange={(event) => onChange(event.target.value)}
          />
        )
      }
    </Field>
  );
}

export function SelectField<T extends string>(props: {
  label: string;
  value: T;
  options: readonly (T | readonly [T, string])[];
  onChange: (value: T) => void;
  hint?: ReactNode;
}) {
  const { label, value, options, onChange, hint } = props;
  return (
    <Field label={label} hint={hint}>
      {(ids) => (
        <select {...ids} className="input" value={value} onChange={(event) => onChange(event.target.value as T)}>
          {options.map((option) => {
            const [key, text] = typeof option === "string" ? [option, option] : option;
            return (
              <option key={key} value={key}>
                {text}
              </option>
            );
          })}
        </select>
      )}
    </Field>
  );
}
