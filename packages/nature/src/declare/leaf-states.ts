/**
 * The states of an expression, read by the compiler: `"new|paid[cash,card]"` gives `"new" | "cash" | "card"`. A state is a name without a
 * bracket behind it, so no tree has to be built: cut at `]`, `|` and `,`, take what stands behind the last `[`.
 */

/** Pieces that are read; of a longer expression any text counts as a state, and the check is left to the start of the program. */
type MaxPieces = 300;

type Blank = " " | "\n" | "\t" | "\r";

type Trim<Text extends string> = Text extends `${Blank}${infer Rest}`
  ? Trim<Rest>
  : Text extends `${infer Rest}${Blank}`
    ? Trim<Rest>
    : Text;

type Split<
  Text extends string,
  Mark extends string,
  Found extends string = never,
  Count extends 0[] = [],
> = Count["length"] extends MaxPieces
  ? string
  : Text extends `${infer Piece}${Mark}${infer Rest}`
    ? Split<Rest, Mark, Found | Piece, [...Count, 0]>
    : Found | Text;

type BehindGroups<Text extends string> = Text extends `${string}[${infer Rest}` ? BehindGroups<Rest> : Text;

/** The states of a state expression; `string` where the expression is not known to the compiler, or is very long. */
export type LeafStates<Expression extends string> = Exclude<
  Trim<BehindGroups<Split<Split<Split<Expression, "]">, "|">, ",">>>,
  ""
>;
