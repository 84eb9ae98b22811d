import { describe, expect, test } from "vitest";
import { programAction } from "../../src/index.ts";
import { commandWords } from "../../src/program/command.ts";
import { thrownBy } from "../graph/thrown.ts";

describe("a command", () => {
  test.each([
    ["grep -v x", ["grep", "-v", "x"]],
    ["  awk '{ print $1 }'  ", ["awk", "{ print $1 }"]],
    ['sed "s/a b/\\"c\\"/"', ["sed", 's/a b/"c"/']],
    ["echo a\\ b ''", ["echo", "a b", ""]],
    ["echo $HOME *", ["echo", "$HOME", "*"]],
    ['printf "a\\n"', ["printf", "a\\n"]],
  ])("%s is split into its words, and nothing is expanded", (line, words) => {
    expect(commandWords(line)).toEqual(words);
  });

  test.each(["", "   ", "'open", 'also "open', "ends in \\"])("%j is refused", (line) => {
    expect(thrownBy(() => commandWords(line))).toMatchObject({ code: "stream.graph" });
  });
});

describe("planning a program", () => {
  const warningsOf = (settings: object) => programAction({ name: "stage", ...settings }).warnings;

  test("warns of programs that keep answers back while they live on, and says what helps", () => {
    expect(warningsOf({ command: "grep x", answers: "one" })).toEqual([expect.stringContaining("--line-buffered")]);
    expect(warningsOf({ command: "sed s/a/b/", answers: "one" })).toEqual([expect.stringContaining("-u")]);
    expect(warningsOf({ command: "python3 x.py", settle: "quiet" })).toHaveLength(2);
    for (const command of ["grep --line-buffered x", "sed -u s/a/b/", "jq --unbuffered .", "python3 -u x.py", "sed -nu p"]) {
      expect(warningsOf({ command, answers: "one" })).toEqual([]);
    }
  });

  test("says that quiet is a guess, and nothing of what is exact", () => {
    expect(warningsOf({ command: "stdbuf -oL tr a b", settle: "quiet" })).toEqual([expect.stringContaining("without output")]);
    expect(warningsOf({ command: "tr a b" })).toEqual([]);
  });
});
