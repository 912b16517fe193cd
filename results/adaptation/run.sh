#!/bin/sh
# run.sh - EP whose nudged phase is pulled back towards the free one (rule.adaptation), at weak and strong feedback, with and
# without read noise; prints the tables of README.md. Stopped at any time, it goes on where it was, from the runs kept beside it.
# Usage: results/adaptation/run.sh [PART...]; parts digits, subtract, bp and noise (all four by default: ten minutes of one core)
# and mnist (784-5x64-10 at beta_i .25, 50 epochs; an hour or two of one core).
# DB=file, THREADS=n, SEEDS, MHO=command in the environment; MNIST in $MHO_DATA/mnist.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
db=${DB:-results/adaptation.db}
threads=${THREADS:-1}
seeds=${SEEDS:-1 2 3}
parts=${*:-digits subtract bp noise}
. results/run_once.sh
take_in results/adaptation/runs*.jsonl.gz

final() {
  "$mho" query --db "$db" --csv "SELECT printf('%.2f', 100*final_test_acc) FROM run WHERE name = '$1' AND status = 'completed'" |
    sed -n 2p
}
# mean and spread of the numbers it is given, a line each
stats() {
  awk 'NF {n++; s += $1; q += $1 * $1} END {if (!n) {printf "-"; exit} m = s / n; v = q - n * m * m; if (v < 0) v = 0
    printf("%.2f ± %.2f", m, n > 1 ? sqrt(v / (n - 1)) : 0)}'
}
# cell LABEL WORDS... - train every seed; its accuracies in a cell of a table
cell() {
  label=$1
  shift
  for seed in $seeds; do
    run_once "$label $seed" --threads "$threads" --set "train.seed=$seed" "$@" >&2
  done
  printf '| %s ' "$(for seed in $seeds; do final "$label $seed"; done | stats)"
}
adapted() { # c
  echo "--set rule.adaptation=$1 --set rule.adaptation_steps=-1"
}

for part in $parts; do
  case $part in
  digits | subtract)
    # the difference settled itself, so that no digit of a small signal is lost; or two states subtracted, as hardware does
    case $part in
    digits) how="settled itself" settle="--set settle.method=sweep --set settle.difference=direct" ;;
    *) how="subtracted" settle="--set settle.method=synchronous --set settle.difference=subtract --set rule.nudge=1" ;;
    esac
    for net in 64,64 32,32,32,32,32; do
      common="--set network.hidden=[$net] $settle --set settle.free=60 --set settle.nudged=30 --set train.epochs=20"
      echo
      echo "| 64-$(echo $net | tr , -)-10, $how, beta_i | c = 0 | c = 0.1 | c = 0.3 | 0.9 beta_i | 0.7 beta_i |"
      echo "|---|---|---|---|---|---|"
      for beta in 0.01 0.1 0.25 1; do
        printf '| %s ' $beta
        for c in 0 0.1 0.3; do
          cell "$part $net $beta $c" $common --set "feedback.scale=$beta" $(adapted $c)
        done
        for weaker in 0.9 0.7; do
          cell "$part $net $beta weaker $weaker" $common \
            --set "feedback.scale=$(echo "$beta $weaker" | awk '{print $1 * $2}')"
        done
        echo "|"
      done
    done
    ;;
  bp)
    for net in 64,64 32,32,32,32,32; do
      echo
      echo "| 64-$(echo $net | tr , -)-10, bp |"
      echo "|---|"
      cell "digits $net bp" --set "network.hidden=[$net]" --set rule.name=bp --set train.epochs=20
      echo "|"
    done
    ;;
  noise) # the setting of results/nonidealities, with a nudge of 1
    for net in 32,32 32,32,32,32,32; do
      echo
      echo "| 64-$(echo $net | tr , -)-10, read noise 1e-3, beta_i | c = 0 | c = 0.1 | c = 0.3 |"
      echo "|---|---|---|---|"
      for beta in 0.1 0.25 1; do
        printf '| %s ' $beta
        for c in 0 0.1 0.3; do
          cell "noise $net $beta $c" --set "network.hidden=[$net]" --set settle.method=sweep --set settle.difference=subtract \
            --set settle.free=15 --set settle.nudged=8 \
            --set update.optimizer=adam --set update.rate=2e-3 --set update.scheme=accumulate --set device.model=linear \
            --set device.step_up=0.001 --set device.step_down=0.001 --set array.model=periphery --set array.read_noise=0.001 \
            --set train.epochs=10 --set train.batch=20 --set rule.nudge=1 --set update.layer_rates=equal \
            --set "feedback.scale=$beta" $(adapted $c)
        done
        echo "|"
      done
    done
    ;;
  mnist)
    echo
    echo "| MNIST, 784-5x64-10, beta_i | c = 0 | c = 0.1 | c = 0.2 | c = 0.3 | c = 0.5 |"
    echo "|---|---|---|---|---|---|"
    printf '| 0.25 '
    for c in 0 0.1 0.2 0.3 0.5; do
      cell "mnist 0.25 $c" --set dataset.name=mnist --set network.hidden=[64,64,64,64,64] --set settle.method=synchronous \
        --set settle.free=50 --set settle.nudged=25 --set update.optimizer=adam --set update.rate=1e-3 --set train.batch=500 \
        --set train.epochs=50 --set feedback.scale=0.25 $(adapted $c)
    done
    echo "|"
    ;;
  *)
    echo "run.sh: no part '$part': digits, subtract, bp, noise or mnist" >&2
    exit 2
    ;;
  esac
done
