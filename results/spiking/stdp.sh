#!/bin/sh
# stdp.sh - MNIST learned without labels by the times of spikes: Diehl & Cook's network with 100 and 400 neurons, one epoch, and
# Querlioz' with 50 neurons and with 300 and homeostasis, ten; neurons are labelled by training images alone. Prints the table of
# README.md. Stopped at any time, it goes on where it was, from the runs kept beside it.
# Usage: results/spiking/stdp.sh [PART...], of dc100, dc400, q50p, q300 (default: all; not timed yet); DB=file, THREADS=n,
# SEEDS="1 2 3", MHO=command in the environment.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
db=${DB:-results/stdp.db}
threads=${THREADS:-1}
seeds=${SEEDS:-1 2 3}
parts=${*:-dc100 dc400 q50p q300}
. results/run_once.sh
take_in results/spiking/stdp_runs*.jsonl.gz

# each NAME CONFIG WORDS... - all seeds of a network
each() {
  row=$1
  shift
  for seed in $seeds; do
    run_once "$row-$seed" "$@" --threads "$threads" --set "train.seed=$seed" >&2
  done
}
# show NAME - its row: test accuracies of completed runs, their mean and spread, pulses and joule
show() {
  "$mho" query --db "$db" --csv "SELECT 100*final_test_acc, pulses, energy_j FROM run WHERE status = 'completed'
    AND name LIKE '$1-_' ORDER BY name" | tail -n +2 | awk -F, -v name="$1" '
    {n++; s += $1; q += $1 * $1; p += $2; e += $3; each = each sprintf(" %.2f", $1)}
    END {if (!n) exit; m = s / n; v = q / n - m * m; printf("| %s | %.2f ± %.2f |%s | %.3g | %.3g |\n", name, m,
      n > 1 && v > 0 ? sqrt(v * n / (n - 1)) : 0, each, p / n, e / n)}'
}

for part in $parts; do
  case $part in
  dc100) each dc100 results/spiking/diehl_cook.yaml --set 'network.hidden=[100]' ;;
  dc400) each dc400 results/spiking/diehl_cook.yaml ;;
  q50p) each q50p results/spiking/querlioz.yaml --set train.epochs=10 ;;
  q300) each q300 results/spiking/querlioz_300.yaml ;;
  *)
    echo "stdp.sh: '$part' is none of dc100, dc400, q50p, q300" >&2
    exit 2
    ;;
  esac
done

echo "| network | test, % | each seed | pulses | J |"
echo "|---|---|---|---|---|"
for part in $parts; do
  show "$part"
done
