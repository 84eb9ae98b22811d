import { type Candidates, CONNECTION_OPTIONS, type CompletionModel, quote, spellings } from "./model.ts";

/** A completion script for bash, without need of the package bash-completion. */
export function bashScript(model: CompletionModel): string {
  const others = model.valueOptions
    .flatMap(spellings)
    .filter((name) => !(CONNECTION_OPTIONS as readonly string[]).includes(name));
  return `# Completion of metanode for bash.
_metanode() {
  local line=\${COMP_LINE:0:COMP_POINT} cur="" prev="" word path kind="" at=1 i
  local -a words=() given=() flags=() kinds=()
  # Words are split at blanks alone: bash itself splits at : and = as well.
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  cur=\${words[\${#words[@]} - 1]}
  prev=\${words[\${#words[@]} - 2]}
  for ((i = 1; i < \${#words[@]} - 1; i++)); do
    word=\${words[i]}
    case $word in
      --) COMPREPLY=($(compgen -f -- "$cur")); return ;;
      ${CONNECTION_OPTIONS.join("|")}) flags+=("$word" "\${words[++i]}") ;;
      ${others.join("|")}) ((++i)) ;;
      -*) ;;
      *) given+=("$word") ;;
    esac
  done
  path=\${given[0]}
  local options=${quote(model.globals.flatMap(spellings).join(" "))}
  case $path in
    "") kinds=(${quote(`words:${model.words.map(({ word }) => word).join(" ")}`)}); at=0 ;;
${model.families
  .map(
    ({ word, commands }) =>
      `    ${word}) at=2; [[ \${#given[@]} -lt 2 ]] && kinds=("" ${quote(`words:${commands.map((one) => one.word).join(" ")}`)}) && at=0; path="${word} \${given[1]}" ;;`,
  )
  .join("\n")}
  esac
  case $path in
${model.commands.map((command) => `    ${quote(command.path)}) kinds=(${command.arguments.map((one) => quote(kindOf(one))).join(" ")}); options+=${quote(` ${command.options.flatMap(spellings).join(" ")}`)} ;;`).join("\n")}
  esac
  kind=\${kinds[\${#given[@]} - at]}
  case $prev in
${model.valueOptions.map((option) => `    ${spellings(option).join("|")}) kind=${quote(kindOf(option.complete) || "any")} ;;`).join("\n")}
    *) [[ $cur == -* ]] && kind="words:$options" ;;
  esac
  case $kind in
    words:*) COMPREPLY=($(compgen -W "\${kind#words:}" -- "$cur")) ;;
    file) COMPREPLY=($(compgen -f -- "$cur")) ;;
    names:*) COMPREPLY=($(compgen -W "$(metanode __complete "\${kind#names:}" "\${flags[@]}" 2>/dev/null)" -- "$cur")) ;;
    *) COMPREPLY=() ;;
  esac
}
complete -o bashdefault -F _metanode metanode
`;
}

/** \`words:a b\` for a fixed set, \`names:x\` for what the node knows, \`file\`, or nothing. */
export function kindOf(completion: Candidates): string {
  if (completion === undefined) return "";
  if (typeof completion !== "string") return `words:${completion.join(" ")}`;
  return completion === "file" ? "file" : `names:${completion}`;
}
