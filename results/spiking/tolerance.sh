#!/bin/sh
# tolerance.sh - which spread of devices 300 neurons of simplified STDP tolerate (querlioz_300.yaml, 120,000 presentations): of
# where cells start, of their steps, of g_min and of g_max, each relative to its own value, apart and together; with 50 % on all,
# read noise, half-selected cells and wires in turn; and published cards. Half-selected cells and wires take 40 and 34 ms of a
# core for a presentation where 0.4 do without, so that these are compared after 6,000 and by 2,000 test images. Prints tables of
# test accuracy and joule, and draws tolerance.svg (gnuplot). Stopped at any time, it goes on where it was, from the runs kept
# beside it.
# Usage: results/spiking/tolerance.sh [PART...], of spread, array, cards, tables (default: all of them; about an hour on two cores
# with JOBS=2)
# DB=file, JOBS=runs at once, SEEDS, SPREADS, CARDS, EPOCHS, IMAGES and TESTS (0: all) to train and to test on, SHORT and SHORT_TESTS
# the same of short runs, MHO=command, PYTHON (with numpy) in the environment; MNIST in $MHO_DATA/mnist.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
python=${PYTHON:-python3}
db=${DB:-results/tolerance.db}
jobs=${JOBS:-1}
seeds=${SEEDS:-1 2 3}
spreads=${SPREADS:-10 25 50 100}
cards=${CARDS:-ecram pcm reram_es}
arrays="read-noise short half-select wires"
starts=${db%.db}_start
config=${db%.db}_no_device.yaml
parts=${*:-spread array cards tables}
# steps three times those of ten epochs, as there are a fifth of the presentations
of_run="--threads 1 --set train.epochs=${EPOCHS:-2} --set dataset.train=${IMAGES:-0} --set dataset.test=${TESTS:-0}"
steps="--set device.step_up=6.69e-7 --set device.step_down=4.46e-7 --set update.rate=5.577e-3"
. results/run_once.sh
take_in results/spiking/tolerance_runs*.jsonl.gz

# start_at NAME WORDS... - a run beside others, at most $jobs at a time
under_way=0
start_at() {
  run_once "$@" >&2 &
  under_way=$((under_way + 1))
  [ "$under_way" -lt "$jobs" ] || finish
}
finish() {
  wait
  under_way=0
}
# start_of PERCENT SEED - the folder with weights to start from, around mid range with that spread
start_of() {
  folder=$starts/$1-$2
  [ -e "$folder/weights.json" ] || "$python" results/spiking/start_weights.py "$folder" "$(share "$1")" "$2"
  echo "$folder"
}
share() {
  awk "BEGIN {print $1 / 100 * ${2:-1}}"
}
# words_of WHAT PERCENT SEED - g_min is 1 uS and g_max 100 uS; their spread is given in parts of what lies between them, which for
# g_max is as good as its own value
words_of() {
  start=0
  case $1 in start | all) start=$2 ;; esac
  echo "--from $(start_of "$start" "$3")"
  case $1 in step | all) echo "--set device.variation.step=$(share "$2")" ;; esac
  case $1 in g_min | all) echo "--set device.variation.g_low=$(share "$2" 1/99)" ;; esac
  case $1 in g_max | all) echo "--set device.variation.g_high=$(share "$2")" ;; esac
}
array_words() {
  case $1 in
  short | half-select | wires) echo "--set dataset.train=${SHORT:-3000} --set dataset.test=${SHORT_TESTS:-2000}" ;;
  esac
  case $1 in
  half-select) echo "--set array.write.select=half" ;;
  read-noise) echo "--set array.read_noise=0.1" ;;
  wires) echo "--set array.wire.r_word=1ohm --set array.wire.r_bit=1ohm --set array.wire.refresh=100000" ;;
  esac
}
# rate_of CARD - a pulse a cell of a spike: the step of the card at mid range
rate_of() {
  case $1 in
  ecram) echo 1e-3 ;;
  pcm) echo 5e-3 ;;
  reram_es) echo 6e-4 ;;
  *) echo 1e-3 ;;
  esac
}
# numbers_of NAME - accuracies, then joule and pulses, of the completed runs of all seeds
numbers_of() {
  "$mho" query --db "$db" --csv "SELECT 100*final_test_acc, energy_j, pulses FROM run WHERE status = 'completed'
    AND name LIKE '$1-_' ORDER BY name" 2>/dev/null | tail -n +2
}
accuracy_of() {
  numbers_of "$1" | awk -F, '{n++; s += $1; q += $1 * $1} END {if (!n) {printf "–"; exit} m = s / n; v = q / n - m * m
    printf(n > 1 && v > 0 ? "%.2f ± %.2f" : "%.2f", m, n > 1 ? sqrt(v * n / (n - 1)) : 0)}'
}
# row LABEL NAME - accuracy, joule, pulses
row() {
  cost=$(numbers_of "$2" | awk -F, '{n++; e += $2; p += $3} END {if (n) printf("%.3g | %.3g", e / n, p / n); else printf "– | –"}')
  echo "| $1 | $(accuracy_of "$2") | $cost |"
}
draw() {
  command -v gnuplot >/dev/null || return 0
  points=$(mktemp)
  for what in start step g_min g_max all; do
    for percent in 0 $spreads; do
      name=tolerance-$what-$percent
      [ "$percent" != 0 ] || name=tolerance-none
      mean=$(accuracy_of "$name")
      [ "$mean" = "–" ] || echo "$what $percent $mean" | sed 's/ ± / /; s/$/ 0/'
    done
  done > "$points"
  plots=$(for what in start step g_min g_max all; do
    printf "'< grep \"^%s \" %s' using 2:3:4 with yerrorlines pt 7 title '%s', " "$what" "$points" "$what"
  done)
  gnuplot <<END
set terminal svg size 640,400 font 'sans,12' background 'white' noenhanced
set output 'results/spiking/tolerance.svg'
set xlabel 'spread, % of the value'; set ylabel 'test accuracy, %'; set grid; set key outside
set title '300 neurons of simplified STDP, MNIST, 120,000 presentations'
plot ${plots}NaN notitle
END
  rm "$points"
}

for part in $parts; do
  case $part in
  spread)
    for seed in $seeds; do
      start_at "tolerance-none-$seed" results/spiking/querlioz_300.yaml $of_run $steps --set "train.seed=$seed" \
        $(words_of none 0 "$seed")
      for percent in $spreads; do
        for what in start step g_min g_max all; do
          start_at "tolerance-$what-$percent-$seed" results/spiking/querlioz_300.yaml $of_run $steps \
            --set "train.seed=$seed" $(words_of $what "$percent" "$seed")
        done
      done
    done
    finish
    ;;
  array)
    for seed in $seeds; do
      for array in $arrays; do
        start_at "tolerance-$array-$seed" results/spiking/querlioz_300.yaml $of_run $steps --set "train.seed=$seed" \
          $(words_of all 50 "$seed") $(array_words $array)
      done
    done
    finish
    ;;
  cards) # single devices from the card's g_min to its g_max, which start anywhere
    grep -v '^device:' results/spiking/querlioz_300.yaml > "$config"
    for seed in $seeds; do
      for card in $cards; do
        start_at "tolerance-$card-$seed" "$config" $of_run --set "train.seed=$seed" --set "device.card=$card" \
          --set device.mapping=single --set "update.rate=$(rate_of "$card")"
      done
    done
    finish
    ;;
  tables)
    echo
    echo "| spread of | 0 | $(echo $spreads | sed 's/ / | /g') % |"
    echo "|---|---|$(for percent in $spreads; do printf -- '---|'; done)"
    for what in start step g_min g_max all; do
      line="| $what | $(accuracy_of tolerance-none)"
      for percent in $spreads; do
        line="$line | $(accuracy_of "tolerance-$what-$percent")"
      done
      echo "$line |"
    done
    echo
    echo "| run | test, % | J | pulses |"
    echo "|---|---|---|---|"
    row "no spread" tolerance-none
    for percent in $spreads; do
      row "$percent % on all" "tolerance-all-$percent"
    done
    for array in $arrays; do
      row "50 % on all, $array" "tolerance-$array"
    done
    for card in $cards; do
      row "$card" "tolerance-$card"
    done
    draw
    ;;
  *)
    echo "tolerance.sh: '$part' is none of spread, array, cards, tables" >&2
    exit 2
    ;;
  esac
done
