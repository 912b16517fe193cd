#!/bin/sh
# cards.sh - EP on published device cards, MNIST 784-256-10, seed 1; prints the second table of README.md. Stopped at any
# time, it goes on where it was. About half an hour of one core. Words behind the database choose cards, "tables" none.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
db=${1:-results/cards.db}
[ $# -gt 0 ] && shift
. results/run_once.sh
take_in results/devices/cards*.jsonl.gz
common="--set dataset=mnist --set network.hidden=[256] --set feedback.scale=0.01 --set settle.method=sweep --set rule.nudge=0.1
  --set device.weight_range=7 --set update.optimizer=sgd --set update.rate=0.4 --set update.schedule=cosine
  --set update.rate_end=0.02 --set train.batch=100 --set train.epochs=20 --threads 1"
card() { # name card scheme more...
  name=$1 kind=$2 scheme=$3
  shift 3
  run_once "$name" $common --set device.card="$kind" --set update.scheme="$scheme" "$@"
}
for kind in ${*:-ecram capacitor pcm quiet reram_es}; do
  case $kind in
  tables) ;;
  quiet)
    card "reram_es quiet accumulate" reram_es accumulate --set device.write_noise=0
    card "reram_es quiet stochastic" reram_es stochastic --set device.write_noise=0
    ;;
  *)
    card "$kind accumulate" $kind accumulate
    card "$kind stochastic" $kind stochastic
    ;;
  esac
  [ $kind != reram_es ] || card "reram_es write_verify" reram_es write_verify --set update.tolerance=10 \
    --set update.tries=30 --set update.max_pulses=5
done >&2
$mho query --db "$db" "SELECT name, epochs_done AS epochs, printf('%.2f', 100*final_test_acc) AS \"last test %\",
  printf('%.2f', 100*best_test_acc) AS \"best test %\", pulses, code_version FROM run WHERE status = 'completed' ORDER BY name"
