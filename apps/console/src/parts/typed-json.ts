/** JSON that somebody has typed: its value, or what is wrong with it. */
export type TypedJson<T = unknown> =
  | { readonly value: T; readonly problem?: undefined }
  | { readonly value?: undefined; readonly problem: string };

/** What a kind of JSON is called, and whether a value is one. */
interface Kind<T> {
  readonly expected: string;
  readonly fits: (value: unknown) => value is T;
}

export const ANYTHING: Kind<unknown> = { expected: "JSON", fits: (_value): _value is unknown => true };
export const A_LIST: Kind<readonly unknown[]> = {
  expected: "a list in JSON: [ … ]",
  fits: (value): value is readonly unknown[] => Array.isArray(value),
};
export const AN_OBJECT: Kind<Readonly<Record<string, unknown>>> = {
  expected: "an object in JSON: { … }",
  fits: (value): value is Readonly<Record<string, unknown>> =>
    typeof value === "object" && value !== null && !Array.isArray(value),
};

export function typedJson<T>(text: string, { expected, fits }: Kind<T>): TypedJson<T> {
  try {
    const value: unknown = JSON.parse(text);
    return fits(value) ? { value } : { problem: `This is JSON, but not what is wanted: ${expected}.` };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}
