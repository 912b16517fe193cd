#compdef mho
# Completion of mho in zsh: what may follow is asked of mho itself.
_mho() {
  local -a typed lines whole shown open open_shown
  local line word
  typed=("${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}")
  lines=("${(@f)$(${(Q)words[1]} --complete "${typed[@]}" 2>/dev/null)}")
  for line in $lines; do
    word=${line%%$'\t'*}
    case $word in
      '') ;;
      '<files .'*) _files -g "*${${word#<files }%>}(-.)" || _files ;;
      '<files>') _files ;;
      '<folders>') _files -/ ;;
      *[=.]) open+=("$word"); open_shown+=("${line/$'\t'/  -- }") ;;
      *) whole+=("$word"); shown+=("${line/$'\t'/  -- }") ;;
    esac
  done
  (( $#open )) && compadd -l -S '' -d open_shown -a open
  (( $#whole )) && compadd -l -d shown -a whole
}
(( $+functions[compdef] )) && compdef _mho mho
[[ $funcstack[1] == _mho ]] && _mho
