# run_once.sh - for the studies below this folder: trainings that are not repeated and not lost.
# Sourced with the working directory at the top of the tree; mho and db are set by the study.

# a database of an older mho, which only a command that writes brings up to date
[ ! -e "$db" ] || "$mho" db migrate "$db" >/dev/null

# run_once NAME TRAIN-WORDS... - train unless a completed run of that name is in $db; go on with one that was cut off.
run_once() {
  name=$1
  shift
  status=$("$mho" query --db "$db" --csv "SELECT status FROM run WHERE name = '$name' ORDER BY started DESC LIMIT 1" \
    2>/dev/null | sed -n 2p)
  case $status in
  completed | diverged) return ;;
  running | interrupted) "$mho" train --db "$db" --resume "$name" ;;
  *) "$mho" train --db "$db" --name "$name" "$@" ;;
  esac
}

# take_in FILE... - runs that are kept in a file beside a study's README are not trained again; none there: nothing to do.
# Such a file is written by: build/mho export --all --db DB -o FILE.jsonl.gz
take_in() {
  for file in "$@"; do
    [ ! -e "$file" ] || "$mho" import "$file" --db "$db" >&2
  done
}
