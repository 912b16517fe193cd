#!/bin/sh
# cards.sh - EP on published device cards, MNIST 784-256-10, seed 1; prints the second table of README.md. Stopped at any
# time, it goes on where it was. About half an hour on two cores.
set -eu
cd "$(dirname "$0")/../.."
mho=build/mho
db=${1:-results/cards.db}
. results/run_once.sh
take_in results/devices/cards*.jsonl.gz
common="--set dataset=mnist --set network.hidden=[256] --set feedback.scale=0.01 --set settle.method=sweep --set rule.nudge=0.1
  --set device.weight_range=7 --set update.optimizer=sgd --set update.rate=0.4 --set update.schedule=cosine
  --set update.rate_end=0.02 --set train.batch=100"
card() { # name card scheme epochs more...
  name=$1 kind=$2 scheme=$3 epochs=$4
  shift 4
  run_once "$name" $common --set device.card="$kind" --set update.scheme="$scheme" --set train.epochs="$epochs" "$@"
}
{
  for kind in ecram capacitor pcm; do
    card "$kind accumulate" $kind accumulate 20
    card "$kind stochastic" $kind stochastic 3
  done
  card "reram_es quiet accumulate" reram_es accumulate 20 --set device.write_noise=0
  card "reram_es quiet stochastic" reram_es stochastic 3 --set device.write_noise=0
  card "reram_es accumulate" reram_es accumulate 3
  card "reram_es stochastic" reram_es stochastic 3
  card "reram_es write_verify" reram_es write_verify 20 --set update.tolerance=10 --set update.tries=30 \
    --set update.max_pulses=5
} >&2
$mho query --db "$db" "SELECT name, epochs_done AS epochs, printf('%.2f', 100*final_test_acc) AS \"last test %\",
  printf('%.2f', 100*best_test_acc) AS \"best test %\", pulses, code_version FROM run WHERE status = 'completed' ORDER BY name"
