/** A place in a text, for people: line and column count from 1, in characters and not in code units. */
export interface Place {
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

/** Where the code unit `at` of a text stands. */
export function placeOf(text: string, at: number): Place {
  const before = text.slice(0, at).split("\n");
  return { text, line: before.length, column: [...(before.at(-1) as string)].length + 1 };
}

/** `column 5`, or `line 2, column 5`. */
export function placeText({ line, column }: Place): string {
  return line === 1 ? `column ${column}` : `line ${line}, column ${column}`;
}
