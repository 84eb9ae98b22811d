import { hasCode, type MetanodeError } from "@metanode/core/errors";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkExpression, type Diagnostic, parseExpression, planExpression, treeText } from "../../src/index.ts";

/** Each error as `line:column kind`. */
function places(text: string, names?: readonly string[]): string[] {
  const { errors } = checkExpression(text, names === undefined ? {} : { names });
  return errors.map(({ line, column, kind }) => `${line}:${column} ${kind}`);
}

function firstOf(text: string, names?: readonly string[]): Diagnostic {
  const [first] = checkExpression(text, names === undefined ? {} : { names }).errors;
  if (first === undefined) throw new Error(`${text} has no error`);
  return first;
}

describe("the errors of an expression", () => {
  test("are all found at once, mistakes of syntax before mistakes of use", () => {
    expect(places("a; ; b c || (x -> ) + num_gen; a)", ["a", "b"])).toEqual([
      "1:4 unexpected-token",
      "1:8 unexpected-token",
      "1:16 lexical",
      "1:26 lexical",
      "1:33 unexpected-token",
      "1:8 unknown-node",
      "1:14 unknown-node",
      "1:32 duplicate-use",
    ]);
  });

  test.each([
    ["an operator too many", "a;;;;b", 1],
    ["words in a row", "this is no expression at all", 1],
    ["brackets that close nothing", "a)))", 1],
    ["brackets that are not closed", "(((a", 1],
    ["a foreign arrow between every two nodes", "a -> b -> c", 2],
    ["a word with two wrong characters", "num_gen_two; b", 1],
    ["an arrow at the end", "a ->", 1],
    ["nothing but an arrow", "->", 1],
    ["empty brackets in a row", "() ; ()", 2],
    ["a bracket that closes nothing after an operator", "a;)", 1],
    ["an operator before a closing bracket", "(a;); b", 1],
  ])("are one per slip: %s", (_, text, count) => {
    expect(places(text)).toHaveLength(count);
  });

  test("are at most 100, and say how many there are besides", () => {
    const check = checkExpression("x; ".repeat(251));
    expect([check.errors.length, check.moreErrors]).toEqual([100, 151]);
  });

  test("count columns in characters after any white space, and lines by line feeds only", () => {
    expect(places("a\n b")).toEqual(["2:2 unexpected-token"]);
    expect(places("a\r\n\t\n  ;; b")).toEqual(["3:4 unexpected-token"]);
    expect(places("a\r b")).toEqual(["1:4 unexpected-token"]);
    expect(places("\u{1f600}; \u{1f600}")).toEqual(["1:1 lexical", "1:4 lexical"]);
  });
});

describe("an error", () => {
  test("shows its line with a caret under each character that is meant", () => {
    expect(firstOf("a;\n  b -> c").caret).toBe("  b -> c\n    ^^");
    expect(firstOf("\ta;;").caret).toBe("\ta;;\n\t  ^");
    expect(firstOf("").caret).toBe("\n^");
  });

  test("shows a piece of a long line only, with the caret below the right character", () => {
    const text = `${"a; ".repeat(1)}${"(".repeat(500)}b c${")".repeat(500)}`;
    const [line = "", marks = ""] = firstOf(text).caret.split("\n");
    expect(line.length).toBeLessThan(140);
    expect([...line][marks.indexOf("^")]).toBe("c");
  });

  test("lets no control character through to a terminal", () => {
    const { caret, message } = firstOf("a \u001b[31m b");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(`${caret}${message}`.replaceAll("\n", "")).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  });

  test.each([
    ["num_gen", "numgen"],
    ["a -> b", ";"],
    ["a → b", ";"],
    ["a => b", ";"],
    ["a > b", ";"],
    ["a | b", ";"],
    ["a ||| b", "||"],
    ["a, b", "||"],
    ["a & b", "||"],
    ["1a", "a"],
  ])("suggests for %j to write %j", (text, suggestion) => {
    expect(firstOf(text).suggestion).toBe(suggestion);
  });

  test("suggests the known name that is most like an unknown one, and none that is not like it", () => {
    expect(firstOf("prnter", ["numgen", "printer"])).toMatchObject({ kind: "unknown-node", suggestion: "printer" });
    const { suggestion, message } = firstOf("gamma", ["numgen", "printer"]);
    expect(suggestion).toBeUndefined();
    expect(message).toContain("known are numgen, printer");
  });

  test("of a name used twice says where it stands already", () => {
    expect(firstOf("a;\nb; a").message).toContain("`a` stands at 1:1 already");
  });
});

describe("parseExpression", () => {
  test("throws stream.syntax with every error in its details and the first in its text", () => {
    const thrown = (() => {
      try {
        return parseExpression("a;; b c");
      } catch (error) {
        return error as MetanodeError;
      }
    })() as MetanodeError;
    expect(hasCode(thrown, "stream.syntax")).toBe(true);
    expect(thrown.message).toMatch(/^2 errors, the first at line 1, column 3: unexpected-token: /);
    expect(thrown.details?.errors).toHaveLength(2);
  });
});

describe("the warning of an accidental source", () => {
  test.each([
    ["a; b || c", "c has become a source; did you mean a; (b || c)?", 9],
    ["a || b; c || d", "d has become a source; did you mean a || b; (c || d)?", 14],
    ["a; b || c || d", "c and d have become sources; did you mean a; (b || c || d)?", 9],
    ["a; b || (c; d); e", "c has become a source; did you mean a; (b || (c; d)); e?", 9],
    ["x + (a; b || (c + d + e + f))", "c, d, e and others have become sources", 14],
  ])("of %j is: %s", (text, message, column) => {
    const { tree, errors, warnings } = checkExpression(text);
    expect(tree).toBeDefined();
    expect(errors).toEqual([]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ kind: "accidental-source", line: 1, column });
    expect(warnings[0]?.message).toContain(message);
  });

  test("suggests what has no such source, and whose other edges stay", () => {
    const [warning] = checkExpression("a; b || c; d").warnings;
    expect(planExpression(warning?.suggestion ?? "")).toMatchObject({ tree: "SEQ[a,PAR[b,c],d]", sources: ["a"] });
  });

  test.each(["(a; b) || c", "a || b; c", "a; (b || c)", "a; b + c", "a || b || c", "(a || b); c"])(
    "is not given for %j",
    (text) => {
      expect(checkExpression(text).warnings).toEqual([]);
    },
  );
});

describe("any text", () => {
  const pieces = fc.constantFrom(
    "a",
    "b",
    "numgen",
    "(",
    ")",
    ";",
    "||",
    "|",
    "+",
    "->",
    " ",
    "\n",
    "\t",
    "_",
    "1",
    ",",
    "é",
    "\u{1f600}",
    "\0",
  );
  const anything = fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }),
    fc.array(pieces, { maxLength: 40 }).map((parts) => parts.join("")),
  );

  test("is either a tree or errors, each with a place inside of the text or just behind its end", () => {
    fc.assert(
      fc.property(anything, fc.option(fc.constant(["a", "numgen"])), (text, names) => {
        const { tree, errors } = checkExpression(text, names === null ? {} : { names });
        expect(tree === undefined).toBe(errors.length > 0);
        const lines = text.split("\n");
        for (const { line, column, caret, message } of errors) {
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(lines.length);
          expect(column).toBeGreaterThanOrEqual(1);
          expect(column).toBeLessThanOrEqual([...(lines[line - 1] ?? "")].length + 1);
          expect(caret.split("\n")).toHaveLength(2);
          expect(message).not.toBe("");
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test("is either a tree or errors when it is long and of one kind", () => {
    for (const piece of [
      "(",
      ")",
      ";",
      "||",
      "|",
      "+",
      "-",
      "a",
      "a ",
      "a;",
      "_",
      "1 ",
      ">",
      "=",
      "\n",
      "é",
      "(a||",
      "a_b ",
      "\u{1f600}",
    ]) {
      const { tree, errors } = checkExpression(piece.repeat(50_000));
      expect([piece, tree === undefined]).toEqual([piece, errors.length > 0]);
    }
  });
});

describe("large expressions", () => {
  const names = Array.from({ length: 10_000 }, (_, index) => `n${index}`);

  test("of 10,000 nodes in a row, side by side and in turns are planned", () => {
    expect(planExpression(names.join("; ")).edges).toHaveLength(9_999);
    expect(planExpression(names.join(" || ")).sources).toHaveLength(10_000);
    const inTurns = names.map((name, index) => (index === 0 ? name : `${index % 2 === 0 ? ";" : "||"} ${name}`)).join(" ");
    expect(planExpression(inTurns).startOrder).toHaveLength(10_000);
  });

  test("of brackets 10,000 deep are planned, nested to either side", () => {
    expect(treeText(parseExpression(`${"(".repeat(10_000)}a${")".repeat(10_000)}`))).toBe("a");
    const right = `${names.join("; (")}${")".repeat(9_999)}`;
    expect(planExpression(right).edges).toHaveLength(9_999);
    const beside = `${names.join(" || (")}${")".repeat(9_999)}`;
    expect(planExpression(beside).sinks).toHaveLength(10_000);
  });

  test("with more edges than the limit are refused before these are made", () => {
    const many = `(${names.slice(0, 5_000).join(" || ")}); (${names.slice(5_000).join(" || ")})`;
    expect(() => planExpression(many)).toThrow(expect.objectContaining({ code: "stream.too_large" }));
    expect(() => planExpression("(a || b); (c || d)", { maxEdges: 3 })).toThrow("more than 3 edges");
    expect(planExpression("(a || b); (c || d)", { maxEdges: 4 }).edges).toHaveLength(4);
  });

  test.each([0, 1.5, Number.NaN, "4"])("cannot have the limit %j", (maxEdges) => {
    expect(() => planExpression("a", { maxEdges: maxEdges as number })).toThrow(
      expect.objectContaining({ code: "config.invalid" }),
    );
  });

  test("are not checked with an option that there is not", () => {
    expect(() => checkExpression("a", { nmes: ["b"] } as object)).toThrow(
      "options.nmes is not a known setting; did you mean names?",
    );
  });
});
