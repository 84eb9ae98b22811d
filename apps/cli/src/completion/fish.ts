import { type Candidates, CONNECTION_OPTIONS, type CompletionModel, type OptionModel, spellings } from "./model.ts";

/** A completion script for fish. */
export function fishScript(model: CompletionModel): string {
  const connection = CONNECTION_OPTIONS.join(" ");
  const others = model.valueOptions
    .flatMap(spellings)
    .filter((name) => !(CONNECTION_OPTIONS as readonly string[]).includes(name));
  const lines = [
    ...model.words.map(({ word, summary }) => candidate("", word, summary)),
    ...model.families.flatMap(({ word, commands }) => commands.map((one) => candidate(word, one.word, one.summary))),
    ...model.globals.map((option) => optionLine("", option)),
    ...model.commands.flatMap(({ path, options }) => options.map((option) => optionLine(path, option))),
    ...model.commands.flatMap(({ path, arguments: kinds }) => kinds.flatMap((kind, index) => argumentLine(path, index, kind))),
  ];
  return `# Completion of metanode for fish.
function __metanode_given
    set -l is_value 0
    for word in (commandline -opc)[2..-1]
        if test $is_value -eq 1
            set is_value 0
            continue
        end
        switch $word
            case ${connection} ${others.join(" ")}
                set is_value 1
            case '-*'
            case '*'
                echo $word
        end
    end
end

function __metanode_flags
    set -l is_value 0
    for word in (commandline -opc)[2..-1]
        if test $is_value -eq 1
            echo $word
            set is_value 0
        else if contains -- $word ${connection}
            echo $word
            set is_value 1
        end
    end
end

# Whether the words so far are a command ($argv[1], which has $argv[2] words) and so many arguments ($argv[3]).
function __metanode_at
    set -l given (__metanode_given)
    test (count $given) -eq (math $argv[2] + $argv[3]); or return 1
    test $argv[2] -eq 0; and return 0
    test "$given[1..$argv[2]]" = "$argv[1]"
end

function __metanode_in
    set -l given (__metanode_given)
    test (count $given) -ge $argv[2]; or return 1
    test "$given[1..$argv[2]]" = "$argv[1]"
end

function __metanode_names
    metanode __complete $argv[1] (__metanode_flags) 2>/dev/null
end

complete -c metanode -f
${lines.join("\n")}
`;
}

function candidate(path: string, word: string, summary: string): string {
  return `complete -c metanode -n ${at(path, 0)} -a ${quote(word)} -d ${quote(summary)}`;
}

function optionLine(path: string, option: OptionModel): string {
  const condition = path === "" ? "" : ` -n ${quote(`__metanode_in ${quote(path)} ${wordsOf(path)}`)}`;
  const short = option.short === undefined ? "" : ` -s ${option.short}`;
  const value = option.takesValue ? ` -r${candidatesOf(option.complete)}` : "";
  return `complete -c metanode${condition}${short} -l ${option.long}${value} -d ${quote(option.summary)}`;
}

function argumentLine(path: string, index: number, kind: Candidates): string[] {
  return kind === undefined ? [] : [`complete -c metanode -n ${at(path, index)}${candidatesOf(kind)}`];
}

function candidatesOf(kind: Candidates): string {
  if (kind === undefined) return "";
  if (kind === "file") return " -F";
  if (typeof kind !== "string") return ` -a ${quote(kind.join(" "))}`;
  return ` -a ${quote(`(__metanode_names ${kind})`)}`;
}

function at(path: string, index: number): string {
  return quote(`__metanode_at ${quote(path)} ${wordsOf(path)} ${index}`);
}

function wordsOf(path: string): number {
  return path === "" ? 0 : path.split(" ").length;
}

/** Single quotes of fish, in which a backslash escapes. */
function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
