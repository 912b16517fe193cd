#!/bin/sh
# run.sh - deep resistive networks on MNIST by equilibrium propagation: Scellier's table 1 (arXiv 2402.11674), and XS on devices;
# a convolutional one on CIFAR-10.
# Prints the tables of README.md. Stopped at any time, it goes on where it was, from the runs kept beside it.
# Usage: results/resistive/run.sh [ROW...]; rows XS and 1H by default, of 2H, 3H, 2HT, 3HT, XL, CONV, devices and deep, too.
# DB=file, THREADS=n, SEEDS, CARDS, SCHEMES, MHO=command in the environment; MNIST in $MHO_DATA/mnist, CIFAR-10 in cifar10.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
db=${DB:-results/resistive.db}
threads=${THREADS:-1}
seeds=${SEEDS:-1 2 3}
cards=${CARDS:-ecram reram_es reram_om}
schemes=${SCHEMES:-exact accumulate stochastic tiki_taka}
rows=${*:-XS 1H}
. results/run_once.sh
take_in results/resistive/runs*.jsonl.gz

# words_of ROW - as published but for the difference of the two nudged phases, which is settled itself, and for biases of 3H,
# which learn at the rates of the weights. 2HT and 3HT are as published in these, too: two states are subtracted, and biases of
# 3HT learn at a tenth.
words_of() {
  case $1 in
  XS) echo "" ;; # the name's defaults
  XL) echo "--set network.hidden=[32768] --set resistive.input_gain=800 --set train.epochs=100" ;;
  1H) echo "--set network.hidden=[1024] --set resistive.input_gain=480 --set train.epochs=50" ;;
  2H)
    echo "--set network.hidden=[1024,1024] --set resistive.input_gain=2000 --set settle.free=5 --set settle.nudged=5
      --set update.rates=[0.002,0.006,0.018] --set train.epochs=50"
    ;;
  3H)
    echo "--set network.hidden=[1024,1024,1024] --set resistive.input_gain=4000 --set settle.free=6 --set settle.nudged=6
      --set rule.nudge=2 --set update.rates=[0.005,0.02,0.08,0.005] --set train.epochs=50"
    ;;
  2HT) echo "$(words_of 2H) --set settle.difference=subtract" ;;
  3HT) echo "$(words_of 3H) --set settle.difference=subtract --set update.bias_rate=0.1" ;;
  CONV)
    echo "--set dataset=cifar10 --set network.topology=conv --set network.conv=[32x3s2p1,64x3s2p1,128x3s2p1]
      --set resistive.input_gain=500 --set update.optimizer=adam --set update.rate=0.0003 --set train.epochs=20"
    ;;
  *)
    echo "run.sh: no row '$1': XS, 1H, 2H, 3H, 2HT, 3HT, XL or CONV" >&2
    exit 2
    ;;
  esac
}
published() {
  case $1 in
  XS) echo "3.46 ± 0.07 | 2.94" ;;
  XL) echo "1.33 | 0.02" ;;
  1H) echo "1.57 ± 0.07 | 0.12" ;;
  2H | 2HT) echo "1.48 | 0.25" ;;
  3H | 3HT) echo "1.66 | 0.46" ;;
  CONV) echo "– | –" ;;
  esac
}
ask() {
  "$mho" query --db "$db" --csv "$(echo "$1" | tr '\n' ' ')" | tail -n +2
}

# stats - mean and standard deviation of the numbers it is given, a line each
stats() {
  awk 'NF { n++; s += $1; q += $1 * $1 } END { if (!n) { printf "–"; exit } m = s / n; v = q - n * m * m; if (v < 0) v = 0
    if (n > 1) printf("%.2f ± %.2f", m, sqrt(v / (n - 1))); else printf("%.2f", m) }'
}
published_row() {
  row=$1
  words="--threads $threads --set dynamics=resistive --set dataset=mnist $(words_of "$row")"
  for seed in $seeds; do
    run_once "$row $seed" $words --set "train.seed=$seed" >&2
  done
  of_row="FROM run WHERE name LIKE '$row %' AND status = 'completed'"
  n=$(ask "SELECT count(*) $of_row")
  test=$(ask "SELECT 100 - 100*final_test_acc $of_row" | stats)
  train=$(ask "SELECT 100 - 100*(SELECT train_acc FROM epoch WHERE run_id = run.id ORDER BY epoch DESC LIMIT 1) $of_row" | stats)
  echo "| $row | $n | $test | $train | $(published "$row") |"
}
# words_of_card CARD SCHEME - a device conducts its g_min, too, which loads the nodes: gains and rates are larger than without.
words_of_card() {
  case $1-$2 in
  reram_om-tiki_taka) echo "--set update.rate=0.01 --set resistive.input_gain=1000 --set update.fast_rate=3" ;;
  *-tiki_taka) echo "--set update.rate=0.03 --set resistive.input_gain=300 --set update.fast_rate=30" ;;
  *) echo "--set update.rate=0.03 --set resistive.input_gain=1000" ;;
  esac
  [ "$2" != tiki_taka ] || echo "--set update.fast_mapping=differential"
}
devices() {
  words="--threads $threads --set dynamics=resistive --set dataset=mnist --set dataset.train=10000 --set train.epochs=2
    --set device.mapping=single --set network.biases=false"
  echo "| card | scheme | test accuracy, % | pulses | energy of cells, J | of pulses, J |"
  echo "|---|---|---|---|---|---|"
  for card in $cards; do
    for scheme in $schemes; do
      for seed in $seeds; do
        run_once "$card $scheme $seed" $words --set "device.card=$card" --set "update.scheme=$scheme" \
          $(words_of_card "$card" "$scheme") --set "train.seed=$seed" >&2 || true
      done
      of_runs="FROM run WHERE name LIKE '$card $scheme %' AND status = 'completed'"
      cost=$(ask "SELECT printf('%.1e | %.1e | %.1e', avg(pulses),
        avg((SELECT sum(joule) FROM energy_epoch WHERE run_id = run.id AND term = 'cells')),
        avg((SELECT sum(joule) FROM energy_epoch WHERE run_id = run.id AND term IN ('set', 'reset')))) $of_runs")
      echo "| $card | $scheme | $(ask "SELECT 100*final_test_acc $of_runs" | stats) | $cost |"
    done
  done
}

# run_row NAME WORDS... - a run a seed, three epochs of 10,000 images, and its line of the table
run_row() {
  row_name=$1
  shift
  for seed in $seeds; do
    run_once "noise $row_name $seed" --threads "$threads" --set dataset=mnist --set dataset.train=10000 --set train.epochs=3 \
      --set "train.seed=$seed" "$@" >&2 || true
  done
  of_runs="FROM run WHERE name LIKE 'noise $row_name _' AND status = 'completed'"
  echo "| $row_name | $(ask "SELECT count(*) $of_runs") | $(ask "SELECT 100*final_test_acc $of_runs" | stats) |"
}
# deep_row NAME WORDS... - the same of ten layers of 64 nodes
deep_row() {
  deep_name=$1
  shift
  run_row "$deep_name" --set "network.hidden=[64,64,64,64,64,64,64,64,64,64]" --set update.optimizer=adam "$@"
}
# words_of_amplifiers V/I - a unit of the network is 1 V behind V4/I.25, 0.1 V behind V4/I1
words_of_amplifiers() {
  case $1 in
  V4/I1)
    echo "--set resistive.amplifier.voltage=4 --set resistive.amplifier.current=1 --set resistive.input_gain=200
      --set array.read_voltage=20V --set update.rate=0.0002"
    ;;
  *)
    echo "--set resistive.amplifier.voltage=4 --set resistive.amplifier.current=0.25 --set resistive.input_gain=0.02
      --set array.read_voltage=0.02V --set update.rate=0.0001"
    ;;
  esac
}
deep() {
  echo "| network, noise of a node in units | seeds | test accuracy, % |"
  echo "|---|---|---|"
  for noise in 0 1e-5 1e-4 1e-3 1e-2 1e-1; do
    run_row "XS $noise" --set dynamics=resistive --set "array.read_voltage=100 V" --set "resistive.noise=$noise V"
  done
  run_row "XS 1e-1 of 100" --set dynamics=resistive --set "array.read_voltage=100 V" --set "resistive.noise=1e-1 V" \
    --set resistive.measurements=100
  deep_row "backpropagation" --set rule=bp --set network.neuron=relu --set train.batch=20 --set update.rate=0.001
  for amplifiers in V4/I1 V4/I.25; do
    unit=$([ $amplifiers = V4/I1 ] && echo 0.1 || echo 1)
    words="--set dynamics=resistive --set settle.free=14 --set settle.nudged=14 --set resistive.order=forward
      --set train.from=results/deep_start_1 $(words_of_amplifiers $amplifiers)"
    [ -e results/deep_start_1 ] || PYTHONPATH=python /usr/bin/python3 results/resistive/deep_start.py 1 results/deep_start_1
    deep_row "$amplifiers" $words
    deep_row "$amplifiers subtracted" $words --set settle.difference=subtract
    for noise in ${NOISES:-1e-10 1e-9 1e-8 1e-7}; do
      volts=$(awk "BEGIN { printf \"%g\", $noise * $unit }")
      deep_row "$amplifiers $noise" $words --set "resistive.noise=$volts V"
    done
    deep_row "$amplifiers 1e-7 of 10000" $words --set "resistive.noise=$(awk "BEGIN { print 1e-7 * $unit }") V" \
      --set resistive.measurements=10000
  done
}

head=""
for row in $rows; do
  if [ "$row" = deep ]; then
    echo
    deep
    continue
  fi
  if [ "$row" = devices ]; then
    echo
    devices
    continue
  fi
  [ "$head" ] || echo "| net | seeds | test error, % | train error, % | published test | published train |"
  [ "$head" ] || echo "|---|---|---|---|---|---|"
  head=written
  published_row "$row"
done
