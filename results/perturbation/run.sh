#!/bin/sh
# run.sh - what weights learn from nothing but the loss: digits on ideal arrays and on faulty ones; prints the tables of
# README.md. Stopped at any time, it goes on where it was. About 10 minutes of one core.
# Usage: results/perturbation/run.sh; DB=file, THREADS=n, SEEDS="1 2 3 4 5", MHO=command in the environment.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
db=${DB:-results/perturbation.db}
threads=${THREADS:-1}
seeds=${SEEDS:-1 2 3 4 5}
. results/run_once.sh

# mean and spread of the numbers it is given, a line each
stats() {
  awk '{n++; s += $1; q += $1 * $1} END {m = s / n; v = q - n * m * m; if (v < 0) v = 0
    printf("%.2f ± %.2f", m, n > 1 ? sqrt(v / (n - 1)) : 0)}'
}
final() {
  "$mho" query --db "$db" --csv "SELECT printf('%.2f', 100*final_test_acc) FROM run WHERE name = '$1' AND status = 'completed'" |
    sed -n 2p
}
# table NAME WORDS... - train every seed; a row of the final test accuracies
table() {
  row=$1
  shift
  for seed in $seeds; do
    run_once "$row-$seed" --threads "$threads" --set "network.hidden=[16]" --set train.epochs=400 --set train.batch=100 \
      --set "train.seed=$seed" "$@" >&2
  done
  all=$(for seed in $seeds; do final "$row-$seed"; done)
  echo "| $row | $(echo "$all" | stats) | $(echo $all) |"
}
# table_programmed NAME OF WORDS... - the weights of runs OF-seed written onto other devices, without learning there
table_programmed() {
  row=$1 of=$2
  shift 2
  all=$(for seed in $seeds; do
    "$mho" program "$of-$seed" --db "$db" --threads "$threads" --json "$@" | sed -n 's/.*"accuracy":\([0-9.e+-]*\).*/\1/p' |
      sed -n 1p | awk '{printf "%.2f\n", 100 * $1}'
  done)
  echo "| $row | $(echo "$all" | stats) | $(echo $all) |"
}

rule="--set rule.name=perturb"
device="--set device.model=linear --set update.scheme=accumulate"
faulty="--set device.model=linear --set device.stuck_on=0.05 --set device.stuck_off=0.05 --set array.model=periphery
  --set array.dac_bits=5 --set array.saturation=4"
ohm=2ohm
wires="--set array.wire.r_word=$ohm --set array.wire.r_bit=$ohm"

echo "| run | test accuracy, % | each seed |"
echo "|---|---|---|"
table lines $rule
table nodes $rule --set rule.of=nodes
table devices $rule $device
table faulty $rule $faulty $wires --set update.scheme=accumulate
table bp --set rule.name=bp
table_programmed bp-programmed bp $faulty $wires
