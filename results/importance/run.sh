#!/bin/sh
# run.sh - importance of neurons (GRAPES) against backpropagation and against the rates that its factors amount to on average;
# prints the tables of README.md. Stopped at any time, it goes on where it was, from the runs kept beside it.
# Usage: results/importance/run.sh [PART...]; parts digits, alignment and pulses (all three by default: some minutes of one core),
# mnist (784-256-256-10, 40 epochs; a quarter of an hour of one core) and deep (784-10x256-10, 10 epochs; half an hour).
# DB=file, THREADS=n, SEEDS, MNIST_SEEDS, MHO=command in the environment; MNIST in $MHO_DATA/mnist.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
db=${DB:-results/importance.db}
threads=${THREADS:-1}
seeds=${SEEDS:-1 2 3 4 5 6 7 8 9 10}
mnist_seeds=${MNIST_SEEDS:-1 2 3}
parts=${*:-digits alignment pulses}
. results/run_once.sh
take_in results/importance/runs*.jsonl.gz

ask() {
  "$mho" query --db "$db" --csv "$1" | tail -n +2
}
# final RUN - test accuracy after the last epoch, %; nothing where it diverged
final() {
  ask "SELECT printf('%.4f', 100*final_test_acc) FROM run WHERE name = '$1' AND status = 'completed'"
}
# soon RUN - the first epoch with nine tenths of that
soon() {
  ask "SELECT min(e.epoch) FROM epoch AS e JOIN run ON run.id = e.run_id WHERE run.name = '$1' AND run.status = 'completed'
    AND e.test_acc >= 0.9*run.final_test_acc"
}
# mean and standard error of the numbers it is given, a line each, and how many they are
stats() {
  awk -v format="$1" 'NF {n++; s += $1; q += $1 * $1} END {if (!n) {printf "-"; exit} m = s / n; v = q / n - m * m; if (v < 0) v = 0
    printf(format " ± " format, m, n > 1 ? sqrt(v / (n - 1)) : 0)}'
}
# t of the mean of paired differences
paired_t() {
  awk 'NF {n++; s += $1; q += $1 * $1} END {m = n ? s / n : 0; v = n > 1 ? (q / n - m * m) / (n - 1) : 0
    if (v > 1e-12) printf("%.1f", m / sqrt(v)); else printf "-"}'
}
# less LABEL CONTROL - two cells: the mean difference of two rows of $table, seed by seed, and its t
less() {
  [ -n "$2" ] && [ "$1" != "$2" ] || { printf '| – | – '; return; }
  differences=$(for seed in $row_seeds; do
    a=$(final "$table $1 $seed") b=$(final "$table $2 $seed")
    [ -z "$a" ] || [ -z "$b" ] || echo "$a $b"
  done | awk '{print $1 - $2}')
  printf '| %s | %s ' "$(echo "$differences" | stats %.2f)" "$(echo "$differences" | paired_t)"
}
# row TABLE LABEL CONTROL SEEDS WORDS... - train every seed; a row of what they come to, and paired with the rows `none` and
# CONTROL of the table
row() {
  table=$1 label=$2 control=$3 row_seeds=$4
  shift 4
  for seed in $row_seeds; do
    run_once "$table $label $seed" --threads "$threads" --set "train.seed=$seed" "$@" >&2
  done
  accuracies=$(for seed in $row_seeds; do final "$table $label $seed"; done | stats %.2f)
  epochs=$(for seed in $row_seeds; do soon "$table $label $seed"; done | stats %.1f)
  n=$(for seed in $row_seeds; do final "$table $label $seed"; done | wc -l)
  echo "| $label | $accuracies | $epochs $(less "$label" none)$(less "$label" "$control")| $n |"
}
head_of() {
  echo
  echo "| $1 | last test accuracy, % | epochs to nine tenths of it | less none | t | less its rates | t | runs |"
  echo "|---|---|---|---|---|---|---|---|"
}

# The control has the rates that the factors of the initial weights come to on average: 1.71 from 64 to 64 neurons, 1.89 and
# 1.82 from 784 and 256 to 256, once a layer for local and once for every layer on the way for propagate.
five_rows() { # TABLE SEEDS LOCAL-RATES PROPAGATED-RATES WORDS...
  of=$1 five_seeds=$2 of_local=$3 of_propagate=$4
  shift 4
  head_of "$of"
  row "$of" none "" "$five_seeds" "$@"
  row "$of" "none, rates of local" "" "$five_seeds" "$@" --set "update.rates=[$of_local]"
  row "$of" local "none, rates of local" "$five_seeds" "$@" --set rule.importance=local
  row "$of" "none, rates of propagate" "" "$five_seeds" "$@" --set "update.rates=[$of_propagate]"
  row "$of" propagate "none, rates of propagate" "$five_seeds" "$@" --set rule.importance=propagate
}

digits="--set network.hidden=[64,64] --set network.neuron=relu --set network.init=he --set rule.name=bp --set update.optimizer=sgd
  --set train.batch=64 --set train.epochs=60"
mnist="--set dataset.name=mnist --set network.init=he --set rule.name=bp --set update.optimizer=sgd --set update.rate=0.1
  --set train.batch=64"

for part in $parts; do
  case $part in
  digits)
    for rates in "0.03 0.0513 0.0877" "0.1 0.171 0.292" "0.3 0.513 0.877"; do
      set -- $rates
      five_rows "digits, rate $1" "$seeds" "$2, $2, $1" "$3, $2, $1" $digits --set "update.rate=$1"
    done
    head_of "digits, how weights are summed"
    of="digits, how weights are summed"
    row "$of" none "" "$seeds" $digits --set update.rate=0.1
    row "$of" "local, 16 probes" "" "$seeds" $digits --set update.rate=0.1 --set rule.importance=local \
      --set rule.importance_by=probe --set rule.importance_probes=16
    row "$of" "local, 64 probes every 10 updates" "" "$seeds" $digits --set update.rate=0.1 --set rule.importance=local \
      --set rule.importance_by=probe --set rule.importance_every=10
    ;;
  alignment)
    of="digits, feedback alignment, rate 0.1"
    head_of "$of"
    fa="$digits --set rule.name=fa --set update.rate=0.1"
    row "$of" none "" "$seeds" $fa
    for low in 1 0; do
      row "$of" "local, from $low to 2" "" "$seeds" $fa --set rule.importance=local --set "rule.importance_low=$low"
      row "$of" "propagate, from $low to 2" "" "$seeds" $fa --set rule.importance=propagate --set "rule.importance_low=$low"
    done
    ;;
  pulses)
    # without the write noise of the card, a tenth of its range of weights, which hides everything else
    sb="--set network.hidden=[64,64] --set rule.name=bp --set device.card=reram_sb --set device.weight_range=7
      --set device.write_noise=0 --set update.scheme=stochastic --set train.batch=64 --set train.epochs=30"
    for rate in 0.02 0.1 0.3; do
      of="digits on reram_sb, stochastic, rate $rate"
      head_of "$of"
      double=$(echo "$rate" | awk '{print 1.71 * $1}')
      row "$of" none "" "$seeds" $sb --set "update.rate=$rate"
      row "$of" "none, rates of local" "" "$seeds" $sb --set "update.rates=[$double, $double, $rate]"
      row "$of" local "none, rates of local" "$seeds" $sb --set "update.rate=$rate" --set rule.importance=local
      row "$of" "local, from 0.5 to 1.5" "none, rates of local" "$seeds" $sb --set "update.rate=$rate" --set rule.importance=local \
        --set rule.importance_low=0.5 --set rule.importance_high=1.5
    done
    ;;
  mnist)
    five_rows "MNIST, 784-256-256-10 relu" "$mnist_seeds" "0.189, 0.182, 0.1" "0.344, 0.182, 0.1" $mnist \
      --set "network.hidden=[256,256]" --set network.neuron=relu --set train.epochs=40
    ;;
  deep) # at 0.001 too, where the rates of ten layers of factors, up to 400 times as large, can learn
    ten=256,256,256,256,256,256,256,256,256,256
    for rate in 0.1 0.001; do
      of_local=$(awk -v r=$rate 'BEGIN {printf "%g", 1.89 * r; for (l = 2; l <= 10; l++) printf ",%g", 1.82 * r; printf ",%g", r}')
      of_propagate=$(awk -v r=$rate 'BEGIN {for (l = 1; l <= 10; l++) printf "%g,", r * 1.82 ^ (11 - l) * (l == 1 ? 1.89 / 1.82 : 1)
        print r}')
      five_rows "MNIST, 784-10x256-10 tanh, rate $rate" "$mnist_seeds" "$of_local" "$of_propagate" $mnist \
        --set "update.rate=$rate" --set "network.hidden=[$ten]" --set network.init=glorot --set network.neuron=tanh \
        --set train.epochs=10
    done
    ;;
  *)
    echo "run.sh: no part '$part': digits, alignment, pulses, mnist or deep" >&2
    exit 2
    ;;
  esac
done
