# Completion of mho in bash: what may follow is asked of mho itself.
_mho() {
  local line=${COMP_LINE:0:COMP_POINT} words current word meaning start
  # the line's own words: bash cuts at = and :, which keys and values have in them
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  current=${words[${#words[@]} - 1]}
  # what bash puts its replies behind: the last of the characters that it cuts at
  start=${current%"${current##*[=:]}"}
  [[ $COMP_WORDBREAKS == *=* ]] || start=
  COMPREPLY=()
  while IFS=$'\t' read -r word meaning; do
    case $word in
    '<files'*) compopt -o filenames
      local path shown=${current#"$start"}
      while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen -f -- "$shown") ;;
    '<folders>') compopt -o filenames
      local path shown=${current#"$start"}
      while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen -d -- "$shown") ;;
    *) printf -v word %q "${word#"$start"}"
      COMPREPLY+=("$word")
      [[ $word == *[=.] ]] && compopt -o nospace ;;
    esac
  done < <("${words[0]/#\~/$HOME}" --complete "${words[@]:1}" 2>/dev/null)
}
complete -F _mho mho
