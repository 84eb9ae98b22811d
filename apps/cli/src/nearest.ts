/** The known word that `word` most likely means. Loaded only when something was misspelt: the rest of core is not light. */
export async function nearestOf(word: string, known: readonly string[]): Promise<string | undefined> {
  const { nearest } = await import("@metanode/core/internal");
  return nearest(word, known);
}
