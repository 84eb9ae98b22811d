/** The last lines of a text, without the empty one behind its end. */
export function lastLines(text: string, count: number): readonly string[] {
  const lines = text.replace(/\n$/, "").split("\n");
  return text === "" || count === 0 ? [] : lines.slice(-count);
}

/** A word that a POSIX shell reads as it is. @source POSIX.1-2024, Shell Command Language, 2.2.2 */
export function shellQuoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
