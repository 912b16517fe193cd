#!/bin/sh
# run.sh - three questions of a device engineer, answered from the database of one study (examples/noise.yaml, 12 runs on the
# embedded digits, about a minute on one core): trains what the database lacks, then prints the tables of README.md.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
db=${1:-results/questions.db}
. results/run_once.sh
take_in results/questions/runs*.jsonl.gz
"$mho" sweep examples/noise.yaml --db "$db" --jobs "${JOBS:-1}" --threads 1 >&2
ask() { # QUESTION COMMAND-WORDS...
  echo
  echo "$1"
  shift
  echo
  "$mho" "$@" --db "$db" | sed 's/^/    /'
}
ask "1. Which non-ideality kills learning on my device?" query sensitivity noise
ask "2. How much of it can I live with?" runs --study noise --group-by array.read_noise
ask "3. What does the last point of accuracy cost in energy, and where does the energy go?" query pareto noise
ask "" query "SELECT term, printf('%.1f', 100 * sum(joule) / (SELECT sum(joule) FROM energy_epoch)) AS \"% of the energy\" FROM energy_epoch
  GROUP BY term ORDER BY sum(joule) DESC LIMIT 4"
echo
"$mho" query --db "$db" --csv "SELECT DISTINCT 'mho ' || code_version || ' with ' || blas || ' kernels' AS line FROM run" | tail -n +2 | tr -d '"'
