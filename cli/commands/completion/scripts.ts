/** What completes. `kubectl`: not a shell, but asked the same by those that it completes in. */
export const completionShells = ['bash', 'zsh', 'fish', 'kubectl'] as const;

/** The word after which the program answers with what the last word may become: one a line, then `:4`, or `:0` where files may follow. */
export const completeWord = '__complete';

// The last line of an answer is Cobra's, which is what kubectl reads from a kubectl_complete-NAME program.
export const completionScripts: Readonly<Record<(typeof completionShells)[number], string>> = {
  bash: `_cryopod() {
  local line directive=0 last="\${COMP_WORDS[COMP_CWORD]}"
  [ "$last" = = ] && last=
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      :*) directive="\${line#:}" ;;
      "$last"*) COMPREPLY+=("$line") ;;
    esac
  done < <("$1" ${completeWord} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [ "$directive" = 0 ]; then compopt -o default 2>/dev/null; fi
}
complete -F _cryopod cryopod
`,
  zsh: `#compdef cryopod
_cryopod() {
  local -a lines found
  lines=("\${(@f)$(\${words[1]} ${completeWord} "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  found=("\${(@)lines:#:*}")
  if [[ \${lines[-1]} == :0 ]]; then _files; else compadd -a found; fi
}
if [[ \${funcstack[1]} == _cryopod ]]; then _cryopod "$@"; else compdef _cryopod cryopod; fi
`,
  fish: `function __cryopod_complete
  set -l words (commandline -opc) (commandline -ct)
  $words[1] ${completeWord} $words[2..] 2>/dev/null | string match -v ':*'
end
complete -c cryopod -f -a '(__cryopod_complete)'
complete -c cryopod -l kubeconfig -r -F
`,
  kubectl: `#!/bin/sh
exec cryopod ${completeWord} "$@"
`,
};
