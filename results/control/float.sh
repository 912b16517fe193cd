#!/bin/sh
# float.sh - feedback control against backpropagation in floating point, on the digits (64-64-32-32-10) and on MNIST
# (784-256-256-256-10): in closed form or at rest towards a nudge, at rest towards the label, by the chain, by fixed arrays Q and by
# learned ones. Prints the tables of README.md. Stopped at any time, it goes on where it was, from the runs kept beside it. About
# an hour and a half of one core, a third of it for the learned arrays.
# Usage: results/control/float.sh [ROW...]; DB=file, THREADS=n, MHO=command in the environment; MNIST in $MHO_DATA/mnist.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
db=${DB:-results/control_float.db}
threads=${THREADS:-1}
. results/run_once.sh
take_in results/control/runs_float.jsonl.gz

# mean and spread of the numbers it is given, a line each
stats() {
  awk '{n++; s += $1; q += $1 * $1} END {m = s / n; v = n > 1 ? (q - n * m * m) / (n - 1) : 0
    printf("%.2f ± %.2f", m, sqrt(v > 0 ? v : 0))}'
}
ask() {
  "$mho" query --db "$db" --csv "SELECT $2 FROM run WHERE name = '$1' AND status = 'completed'" | sed -n 2p
}

# row NAME SEEDS WORDS... - train every seed; test accuracy where that of 5000 held-out images is best, and the last one
row() {
  row=$1 seeds=$2
  shift 2
  case " $wanted " in "  " | *" $row "*) ;; *) return ;; esac
  for seed in $seeds; do
    run_once "$row-$seed" --threads "$threads" --set "train.seed=$seed" $net "$@" >&2
  done
  best=$(for seed in $seeds; do ask "$row-$seed" "printf('%.2f', 100*best_test_acc)"; done | stats)
  last=$(for seed in $seeds; do ask "$row-$seed" "printf('%.2f', 100*final_test_acc)"; done | stats)
  epoch=$(for seed in $seeds; do ask "$row-$seed" "printf('%.1f', wall_s/epochs_done)"; done | stats)
  echo "| $row | $best | $last | $epoch | $seeds |"
}

# head_of NET
head_of() {
  echo
  echo "| $1 | test accuracy at the best validation, % | last, % | s an epoch | seeds |"
  echo "|---|---|---|---|---|"
}

wanted="$*"
direct="--set rule.name=dfc --set feedback.path=direct"
net="--set dataset.name=digits --set network.hidden=[64,32,32] --set train.epochs=30"
head_of "digits, 64-64-32-32-10, 30 epochs"
row digits-bp "1 2 3" --set rule.name=bp
row digits-bp-0.003 "1 2 3" --set rule.name=bp --set update.rate=3e-3
row digits-linear "1 2 3" --set rule.name=dfc --set rule.control=linear
row digits-chain "1 2 3" --set rule.name=dfc
row digits-chain-label "1 2 3" --set rule.name=dfc --set rule.target=label --set rule.gain=2.5
row digits-product "1 2 3" $direct
row digits-product-label "1 2 3" $direct --set rule.target=label --set rule.gain=2.5
row digits-random "1 2 3" $direct --set feedback.q.kind=random

net="--set dataset.name=mnist --set dataset.validation=5000 --set network.hidden=[256,256,256] --set train.batch=128
  --set train.epochs=40 --set update.optimizer=adam --set update.beta1=0.99 --set update.beta2=0.99"
nudged="--set rule.name=dfc --set rule.control=linear --set rule.leak=1e-3 --set update.rate=6e-4 --set update.epsilon=1e-5"
label="--set rule.name=dfc --set rule.target=label --set rule.control=solve --set rule.gain=2.5 --set update.schedule=cosine
  --set update.beta1=0.9 --set update.beta2=0.999"
head_of "MNIST, 784-256-256-256-10, 40 epochs"
row bp "1 2 3" --set rule.name=bp --set update.rate=3e-4 --set update.epsilon=6e-8
row chain "1 2 3" $nudged
row product "1 2 3" $nudged --set feedback.path=direct
whitened="--set network.biases=true --set dataset.normalize=channels"
row product-cosine "1 2 3" $nudged $whitened --set feedback.path=direct --set update.rate=1e-3 --set update.epsilon=8.5e-6 \
  --set update.schedule=cosine --set update.beta1=0.9 --set update.beta2=0.999
row label-chain "1 2 3" $label --set update.rate=1e-3
row label-product "1 2 3" $label --set update.rate=3e-3 --set feedback.path=direct
row learned "1" $nudged --set feedback.path=direct --set feedback.q.kind=learned --set update.rate=1.2e-3 --set update.epsilon=8e-5
# Q learned in every lesson, under noise that is always on, with the controller in time: ten epochs
row one-phase "1 2 3" $whitened --set rule.name=dfc --set rule.target=label --set rule.control=time --set rule.leak=7.6e-6 \
  --set rule.proportional=2 --set rule.dt=0.01 --set rule.steps=50 --set rule.ratio=0.02 --set feedback.path=direct \
  --set feedback.q.kind=learned --set feedback.q.filter=0.5 --set feedback.q.noise=0.00428 --set feedback.q.noise_tau=0.07 \
  --set feedback.q.rate=1e-4 --set feedback.q.epochs_before=3 \
  --set update.rate=1e-3 --set update.schedule=cosine --set update.beta1=0.9 --set update.beta2=0.999 --set train.epochs=10 \
  --set observe.control=true
