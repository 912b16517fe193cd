#!/bin/sh
# run.sh - prototypical equilibrium propagation, outputs that hold states: MNIST 784-512-10 by examples/prototypical.yaml, and the
# digits by every settler and on devices; prints the tables of README.md. Stopped at any time, it goes on where it was. About 8
# minutes of one core with MNIST, which is left out where DATA=digits.
# Usage: results/prototypical/run.sh; DB=file, THREADS=n, SEEDS="1 2 3", MHO=command in the environment.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
db=${DB:-results/prototypical.db}
threads=${THREADS:-1}
seeds=${SEEDS:-1 2 3}
. results/run_once.sh

# mean and spread of the numbers it is given, a line each
stats() {
  awk '{n++; s += $1; q += $1 * $1} END {m = s / n; v = q - n * m * m; if (v < 0) v = 0
    printf("%.2f ± %.2f", m, n > 1 ? sqrt(v / (n - 1)) : 0)}'
}
value() { # NAME COLUMN
  "$mho" query --db "$db" --csv "SELECT printf('%.2f', 100*$2) FROM run WHERE name = '$1' AND status = 'completed'" | sed -n 2p
}
# table NAME WORDS... - train every seed; a row of test accuracies
table() {
  row=$1
  shift
  for seed in $seeds; do
    run_once "$row-$seed" --threads "$threads" --set "train.seed=$seed" "$@" >&2
  done
  best=$(for seed in $seeds; do value "$row-$seed" best_test_acc; done | stats)
  last=$(for seed in $seeds; do value "$row-$seed" final_test_acc; done)
  echo "| $row | $best | $(echo "$last" | stats) | $(echo $last) |"
}

echo "| run | best test, % | last | each seed, last |"
echo "|---|---|---|---|"
[ "${DATA:-all}" = digits ] || table mnist examples/prototypical.yaml
net="--set dataset=digits --set network.hidden=[64] --set network.neuron=hard_sigmoid --set network.biases=true
  --set network.init=fan_in --set update.rate=3e-3 --set update.schedule=cosine --set train.batch=20 --set train.epochs=30"
digits="$net --set network.output=state --set feedback.scale=1 --set rule.phases=centred --set rule.nudge=0.5"
table sweep $digits
table subtracted $digits --set settle.difference=subtract
table synchronous $digits --set settle.method=synchronous --set settle.free=60 --set settle.nudged=30
table ode $digits --set settle.method=ode
table live $digits --set rule.error=live
table nudge-0.1 $digits --set rule.nudge=0.1
table four-points-0.25 $digits --set rule.phases=points --set rule.nudge=0.25
table four-points-0.5 $digits --set rule.phases=points --set rule.nudge=0.5
table forward $digits --set rule.tied=forward
table weak $digits --set feedback.scale=0.1
table devices $digits --set device.model=linear --set update.scheme=accumulate
table bp $net --set network.output=state --set rule.name=bp
table bp-tanh $net --set network.output=state --set rule.name=bp --set network.neuron=tanh
table tanh $digits --set network.neuron=tanh
table softmax $net --set feedback.scale=0.1
