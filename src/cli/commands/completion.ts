import { defineCommand, exactly } from "../command.ts";
import { CliError } from "../errors.ts";
import { out } from "../io/output.ts";

const scripts: Record<string, string> = {
  bash: `# berth completion bash > /etc/bash_completion.d/berth
_berth() {
  # Bash parts words at = and :, berth does not.
  local line=\${COMP_LINE:0:COMP_POINT} words
  read -ra words <<< "$line"
  [[ $line == *' ' ]] && words+=('')
  local current=\${words[-1]} IFS=$'\\n'
  COMPREPLY=($(berth __complete "\${words[@]:1}" 2>/dev/null))
  if [[ \${COMPREPLY[0]} == :files ]]; then
    COMPREPLY=()
    compopt -o default
    return
  fi
  COMPREPLY=("\${COMPREPLY[@]#"\${current%"\${current##*[=:]}"}"}")
}
complete -F _berth berth
`,
  zsh: `#compdef berth
# berth completion zsh > "\${fpath[1]}/_berth"
_berth() {
  local -a found
  found=("\${(@f)$(berth __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $found[1] == :files ]]; then
    _files
  else
    compadd -- $found
  fi
}
compdef _berth berth
`,
  fish: `# berth completion fish > ~/.config/fish/completions/berth.fish
function __berth_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found (berth __complete $words[2..-1] 2>/dev/null)
    if test "$found[1]" = :files
        __fish_complete_path (commandline -ct)
    else
        string join \\n -- $found
    end
end
complete -c berth -f -a '(__berth_complete)'
`,
};

/** Prints the script that makes a shell complete berth's command lines. */
export const command = defineCommand({
  usage: "bash|zsh|fish",
  summary: "Print a shell's completion script",
  flags: {},
  arity: exactly(1),
  async run(_flags, { args: [shell = ""] }) {
    const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
    if (script === undefined)
      throw new CliError(`no completion for ${JSON.stringify(shell)}: use bash, zsh or fish`);
    out(script);
    return 0;
  },
});
