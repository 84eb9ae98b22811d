import { kindOf } from "./bash.ts";
import { CONNECTION_OPTIONS, type CompletionModel, type OptionModel, quote, spellings, type Word } from "./model.ts";

/** A completion script for zsh: a file \`_metanode\` in fpath, or sourced after compinit. */
export function zshScript(model: CompletionModel): string {
  const others = model.valueOptions
    .flatMap(spellings)
    .filter((name) => !(CONNECTION_OPTIONS as readonly string[]).includes(name));
  return `#compdef metanode
# Completion of metanode for zsh.
_metanode() {
  local cur=\${words[CURRENT]} prev=\${words[CURRENT - 1]} word command kind="" i
  local -a given flags kinds options found
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    case $word in
      --) _files; return ;;
      ${CONNECTION_OPTIONS.join("|")}) flags+=("$word" "\${words[i + 1]}"); ((i++)) ;;
      ${others.join("|")}) ((i++)) ;;
      -*) ;;
      *) given+=("$word") ;;
    esac
  done
  options=(${described(model.globals)})
  command=\${given[1]}
  if (( \${#given} == 0 )) && [[ $cur != -* ]] && ! _metanode_value $prev; then
    found=(${model.words.map(wordEntry).join(" ")})
    _describe command found
    return
  fi
  case $command in
${model.families
  .map(
    ({ word, commands }) => `    ${word})
      if (( \${#given} == 1 )) && [[ $cur != -* ]] && ! _metanode_value $prev; then
        found=(${commands.map(wordEntry).join(" ")})
        _describe command found
        return
      fi
      command="${word} \${given[2]}"
      given=("\${(@)given[2,-1]}") ;;`,
  )
  .join("\n")}
  esac
  case $command in
${model.commands
  .map(
    (command) =>
      `    ${quote(command.path)}) kinds=(${command.arguments.map((one) => quote(kindOf(one) || "any")).join(" ")}); options+=(${described(command.options)}) ;;`,
  )
  .join("\n")}
  esac
  kind=\${kinds[\${#given}]}
  case $prev in
${model.valueOptions.map((option) => `    ${spellings(option).join("|")}) kind=${quote(kindOf(option.complete) || "any")} ;;`).join("\n")}
    *) if [[ $cur == -* ]]; then _describe option options; return; fi ;;
  esac
  case $kind in
    words:*) compadd -- \${=kind#words:} ;;
    file) _files ;;
    names:*) compadd -- \${(f)"$(metanode __complete "\${kind#names:}" "\${flags[@]}" 2>/dev/null)"} ;;
  esac
}

# Whether a word is an option whose value comes next.
_metanode_value() {
  case $1 in
    ${model.valueOptions.flatMap(spellings).join("|")}) return 0 ;;
  esac
  return 1
}

if [[ $funcstack[1] == _metanode ]]; then
  _metanode "$@"
else
  compdef _metanode metanode
fi
`;
}

function wordEntry({ word, summary }: Word): string {
  return quote(`${word}:${summary.replaceAll(":", "\\:")}`);
}

function described(options: readonly OptionModel[]): string {
  return options.flatMap((option) => spellings(option).map((word) => wordEntry({ word, summary: option.summary }))).join(" ");
}
