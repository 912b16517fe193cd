#!/bin/sh
# run.sh - how arrays are updated: cards and update schemes on MNIST, errors of the symmetry point on the digits, and the
# largest net; prints the tables of README.md. Stopped at any time, it goes on where it was, from the runs kept beside it.
# Usage: results/schemes/run.sh [PART...]; parts symmetry (minutes of one core) and cards (784-128-10, 5 epochs; two hours of two
# cores) by default, and target (784-256-10, 20 epochs; one or two minutes of one core a run, 12 runs).
# DB=file, THREADS=n, SEEDS, CARDS, SCHEMES, VARIANTS, MANNERS, ERRORS, TARGETS, IMAGES, MHO=command in the environment; MNIST in
# $MHO_DATA/mnist.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
db=${DB:-results/schemes.db}
threads=${THREADS:-1}
seeds=${SEEDS:-1 2 3}
cards=${CARDS:-ecram capacitor pcm reram_es reram_sb reram_om reram_hfo2}
schemes=${SCHEMES:-exact accumulate stochastic v1 v2 chopped agad residual write_verify}
images=${IMAGES:-0}
variants=${VARIANTS:-v2 chopped agad}
manners=${MANNERS:-long short}
errors=${ERRORS:-0 0.05 0.1 0.2 0.3}
targets=${TARGETS:-reram_es reram_om reram_hfo2}
parts=${*:-symmetry cards}
. results/run_once.sh
take_in results/schemes/runs*.jsonl.gz

ask() {
  "$mho" query --db "$db" --csv "$(echo "$1" | tr '\n' ' ')" | tail -n +2
}
# mean and standard deviation of the numbers it is given, a line each
stats() {
  awk 'NF {n++; s += $1; q += $1 * $1} END {if (!n) {printf "–"; exit} m = s / n; v = q - n * m * m; if (v < 0) v = 0
    if (n > 1) printf("%.2f ± %.2f", m, sqrt(v / (n - 1))); else printf("%.2f", m)}'
}
final() {
  ask "SELECT 100*final_test_acc FROM run WHERE name = '$1' AND status = 'completed'"
}
# of_runs PREFIX - final accuracies of all seeds that are there
of_runs() {
  for seed in $seeds; do final "$1 $seed"; done
}
# words_of SCHEME CARD - what a scheme is set to. Variants of tiki_taka have the scheme's defaults; residual is v2 whose fast array
# is a part of the weights.
words_of() {
  case $1 in
  exact) echo "--set update.scheme=exact --set update.optimizer=adam --set update.rate=1e-3" ;;
  accumulate) echo "--set update.scheme=accumulate --set update.optimizer=adam --set update.rate=1e-3" ;;
  write_verify)
    echo "--set update.scheme=write_verify --set update.optimizer=adam --set update.rate=1e-3 --set update.tolerance=10
      --set update.tries=30 --set update.max_pulses=5"
    ;;
  stochastic) echo "--set update.scheme=stochastic --set update.rate=0.4 --set update.schedule=cosine --set update.rate_end=0.02" ;;
  residual) echo "--set update.scheme=tiki_taka --set update.gamma=-1" ;;
  *) echo "--set update.scheme=tiki_taka --set update.variant=$1" ;;
  esac
  case $1-$2 in
  v1-pcm | v2-pcm | chopped-pcm | residual-pcm) echo "--set update.symmetry=none" ;; # devices that are only SET
  esac
}
# symmetry_words MANNER - of the part symmetry: choppers that stay long and turn at random, or that turn regularly five times as
# often, with a fast array that forgets three times as fast, and a slow one that learns at a tenth of the rate.
symmetry_words() {
  echo "--threads $threads --set network.hidden=[32] --set train.epochs=20 --set train.batch=20 --set device.card=reram_es
    --set update.scheme=tiki_taka"
  case $1 in
  long) echo "--set update.rate=0.3 --set update.fast_rate=10 --set update.chop_in=0.02" ;;
  short) echo "--set update.rate=0.03 --set update.fast_rate=30 --set update.chop_in=0.1 --set update.chop_random=false" ;;
  esac
}
symmetry_run() {
  case $1 in
  long) echo "symmetry" ;;
  short) echo "symmetry short" ;;
  esac
}
for part in $parts; do
  case $part in
  cards)
    for card in $cards; do
      for scheme in $schemes; do
        words="--threads $threads --set dataset=mnist --set dataset.train=$images --set network.hidden=[128] --set train.epochs=5
          --set device.card=$card $(words_of "$scheme" "$card")"
        for seed in $seeds; do
          run_once "$card $scheme ep $seed" $words --set "train.seed=$seed" || true
        done
        run_once "$card $scheme bp 1" $words --set train.seed=1 --set rule=bp || true
      done
    done >&2
    echo
    echo "| card | scheme | EP, % | BP, % | pulses | energy, J | latency, s |"
    echo "|---|---|---|---|---|---|---|"
    for card in $cards; do
      for scheme in $schemes; do
        cost=$(ask "SELECT printf('%.1e | %.1e | %.2g', avg(pulses), avg(energy_j), avg((SELECT sum(seconds) FROM energy_epoch AS e
          WHERE e.run_id = run.id))) FROM run WHERE name LIKE '$card $scheme ep %' AND status = 'completed'")
        echo "| $card | $scheme | $(of_runs "$card $scheme ep" | stats) | $(final "$card $scheme bp 1" | stats) | $cost |"
      done
    done
    ;;
  symmetry) # of the digits, without gamma, so that nothing but the transfer is compared
    for manner in $manners; do
      for variant in $variants; do
        for error in $errors; do
          [ "$variant" != agad ] || [ "$error" = 0 ] || continue # it subtracts nothing that could be wrong
          for seed in $seeds; do
            run_once "$(symmetry_run $manner) $variant $error $seed" $(symmetry_words $manner) --set "train.seed=$seed" \
              --set "update.variant=$variant" $([ "$variant" = agad ] || echo "--set update.symmetry_error=$error") || true
          done
        done
      done >&2
      echo
      echo "| $manner: symmetry_error | v2 | chopped | agad |"
      echo "|---|---|---|---|"
      for error in $errors; do
        line="| $error"
        for variant in $variants; do
          at=$error
          [ "$variant" != agad ] || at=0
          line="$line | $(of_runs "$(symmetry_run $manner) $variant $at" | stats)"
        done
        echo "$line |"
      done
    done
    ;;
  target) # the scheme's defaults by all seeds, backpropagation beside by one
    words="--threads $threads --set dataset=mnist --set dataset.train=$images --set network.hidden=[256] --set train.epochs=20"
    words="$words --set update.scheme=tiki_taka"
    for card in $targets; do
      for seed in $seeds; do
        run_once "target $card defaults ep $seed" $words --set "device.card=$card" --set "train.seed=$seed" || true
      done
      run_once "target $card defaults bp 1" $words --set "device.card=$card" --set train.seed=1 --set rule=bp || true
    done >&2
    echo
    echo "| card | EP, seed 1, % | EP, % | BP, seed 1, % |"
    echo "|---|---|---|---|"
    for card in $targets; do
      name="target $card defaults"
      echo "| $card | $(final "$name ep 1" | stats) | $(of_runs "$name ep" | stats) | $(final "$name bp 1" | stats) |"
    done
    ;;
  *)
    echo "run.sh: no part '$part': symmetry, cards or target" >&2
    exit 2
    ;;
  esac
done
