#!/bin/sh
# csdp.sh - contrastive-signal-dependent plasticity on the 8x8 digits, cut as digits_split.py says: the published settings for 5
# and 20 epochs, what changes of them cost, and logic functions in floating point and on memristor pairs; prints the tables of
# README.md. Stopped at any time, it goes on where it was. About 20 minutes of one core.
# Usage: results/spiking/csdp.sh [PART...], of digits, frozen, long, changes, logic (default: all); DB=file, THREADS=n,
# SEEDS="1 2 3", LOGIC_SEEDS="1 2 ... 10", MHO=command in the environment.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
db=${DB:-results/csdp.db}
threads=${THREADS:-1}
seeds=${SEEDS:-1 2 3}
logic_seeds=${LOGIC_SEEDS:-1 2 3 4 5 6 7 8 9 10}
parts=${*:-digits frozen long changes logic}
. results/run_once.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# mean and spread of the numbers it is given, a line each
stats() {
  awk '{n++; s += $1; q += $1 * $1} END {m = s / n; v = q - n * m * m; if (v < 0) v = 0
    printf("%.2f ± %.2f", m, n > 1 ? sqrt(v / (n - 1)) : 0)}'
}
# value NAME EXPRESSION - of a run
value() {
  "$mho" query --db "$db" --csv "SELECT printf('%.4g', $2) FROM run WHERE name = '$1' AND status = 'completed'" | sed -n 2p
}
# table NAME WORDS... - train every seed; a row of validation accuracies
table() {
  row=$1
  shift
  for seed in $seeds; do
    run_once "$row-$seed" --threads "$threads" --set "train.seed=$seed" "$@" >&2
  done
  last=$(for seed in $seeds; do value "$row-$seed" '100*final_test_acc'; done)
  pulses=$(for seed in $seeds; do value "$row-$seed" 'pulses'; done | stats)
  echo "| $row | $(echo "$last" | stats) | $(echo $last) | ${pulses%% *} |"
}
# solved NAME WORDS... - over so many seeds: in how many all four patterns are right at the end
solved() {
  row=$1
  shift
  for seed in $logic_seeds; do
    run_once "$row-$seed" --threads 1 --set "train.seed=$seed" "$@" >&2
  done
  names=$(for seed in $logic_seeds; do echo "'$row-$seed'"; done | paste -sd,)
  "$mho" query --db "$db" --csv "SELECT '| $row | ' || sum(final_test_acc > 0.99) || ' of ' || count(*) || ' | ' ||
    sum(best_test_acc > 0.99) || ' | ' || printf('%.3g', coalesce(avg(pulses), 0)) || ' | ' ||
    printf('%.2g', coalesce(avg(energy_j), 0)) || ' |' FROM run WHERE name IN ($names) AND status = 'completed'" | sed -n 2p | tr -d '"'
}

digits="--set rule=csdp --set network.hidden=[256,64] --set train.batch=98 --set dataset=table --set dataset.path=$folder/digits --set dataset.kind=classes --set dataset.normalize=none"
case " $parts " in *" digits "* | *" frozen "* | *" long "* | *" changes "*)
  python3 results/spiking/digits_split.py "$folder/digits"
  echo "| run | last validation, % | each seed | pulses |"
  echo "|---|---|---|---|"
  ;;
esac
for part in $parts; do
  case $part in
  digits) table digits-5 $digits --set train.epochs=5 ;;
  long) table digits-20 $digits --set train.epochs=20 ;;
  changes)
    linear="--set device=linear"
    table exact $digits --set train.epochs=5 --set settle.integrate=exact
    table presentation $digits --set train.epochs=5 --set update.apply=batch
    table no-decay $digits --set train.epochs=5 --set rule.decay=0
    table groups-8 $digits --set train.epochs=5 --set rule.groups=8
    table gradient-sign $digits --set train.epochs=5 --set rule.lateral_sign=gradient
    table goodness $digits --set train.epochs=5 --set network.output=goodness
    table membrane $digits --set train.epochs=5 --set network.output=membrane
    table accumulate $digits --set train.epochs=5 $linear --set update.scheme=accumulate
    table stochastic $digits --set train.epochs=5 $linear --set update.scheme=stochastic --set update.rate=0.1
    ;;
  frozen)
    table frozen $digits --set train.epochs=5 --set rule.decay=0 --set 'update.rates=[0,0,1e-3,1e-3,0,0,0,0,0]'
    ;;
  logic)
    python3 results/spiking/logic.py "$folder"
    pair="--set device=linear --set device.step_up=0.01 --set device.step_down=0.01 --set device.cycle_to_cycle=0.1
      --set update.scheme=stochastic --set update.rate=0.3"
    echo "| function | all right at the end | ever | pulses | J |"
    echo "|---|---|---|---|---|"
    for function in and or xor; do
      small="--set rule=csdp --set rule.threshold=1 --set rule.decay=0 --set network.hidden=[8,4] --set train.batch=4
        --set train.epochs=30 --set dataset=table --set dataset.path=$folder/$function --set dataset.kind=classes
        --set dataset.normalize=none --set update.rate=2e-3"
      solved "$function" $small
      solved "$function-differential" $small $pair --set device.mapping=differential
      solved "$function-one_sided" $small $pair --set device.mapping=one_sided
    done
    ;;
  *)
    echo "csdp.sh: '$part' is none of digits, frozen, long, changes, logic" >&2
    exit 2
    ;;
  esac
done
