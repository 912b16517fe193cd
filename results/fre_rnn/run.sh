#!/bin/sh
# run.sh - the layered rows of Liu & Chen's Tables 1 and 2: prints the tables of README.md.
# Usage: results/fre_rnn/run.sh [MODE [SEEDS [DATASETS [DB [ROWS]]]]], for example: sweep "1 2 3" mnist
# ROWS is a pattern of row names (egrep), by default all.
# MODE sweep is mho's own: sweeps, the difference settled itself. MODE paper is the paper's: T and K synchronous steps, two
# single-precision states subtracted; rows "growing nudge" do as the authors' published program does. Stopped at any time, it goes
# on where it was. A seed takes about 7 minutes on two cores for MNIST and 6 for CIFAR-10 in mode sweep, and 80 and 50 in mode
# paper (the rows of a growing nudge, 20 to 40 each, and the SGD row, 100 epochs of batches of 20, apart).
set -eu
cd "$(dirname "$0")/../.."
mho=build/mho
mode=${1:-sweep}
seeds=${2:-1 2 3 4 5}
datasets=${3:-mnist cifar10}
db=${4:-results/fre_rnn.db}
pattern=${5:-.}
case $mode in
sweep | paper) ;;
*)
  echo "run.sh: mode '$mode' is neither sweep nor paper" >&2
  exit 2
  ;;
esac
. results/run_once.sh
take_in results/fre_rnn/runs*.jsonl.gz

# layers N WIDTH -> "[WIDTH,WIDTH,...]"
layers() {
  printf '['
  i=1
  while [ $i -lt "$1" ]; do
    printf '%s,' "$2"
    i=$((i + 1))
  done
  printf '%s]' "$2"
}

# every row: name|layers width|what it sets|the paper's MNIST and CIFAR-10 test accuracies
rows_sweep() {
  cat <<'END'
2x512 EP|2 512|feedback.scale=0.01|98.39 ± .04|–
2x512 BP|2 512|rule=bp|98.26 ± .06|–
3x512 EP|3 512|feedback.scale=0.01|98.36 ± .06|–
3x512 BP|3 512|rule=bp|98.36 ± .08|–
5x64 EP|5 64|feedback.scale=0.1|97.64 ± .10|50.72
5x64 BP|5 64|rule=bp|97.69 ± .10|49.23
5x64 EP asymmetric|5 64|feedback.scale=0.1 feedback.mode=asymmetric|96.37 ± .11|45.27
5x64 FA|5 64|rule=fa|96.44|37.97
10x64 EP chain|10 64|feedback.scale=0.01|92.49 ± .32|34.90
10x64 EP residual|10 64|feedback.scale=0.1 network.topology=residual rule.gradient=physical|97.49 ± .05|44.46
10x64 EP residual, beta_i a layer|10 64|feedback.scale=0.01 network.topology=residual feedback.per=layer|97.49 ± .05|44.46
10x64 BP|10 64|rule=bp|97.61 ± .04|48.23
10x64 BP residual|10 64|rule=bp network.topology=residual|–|–
10x64 EP asymmetric chain|10 64|feedback.scale=0.1 feedback.mode=asymmetric|87.37|30.37
10x64 EP asymmetric AGT|10 64|feedback.scale=0.1 feedback.mode=asymmetric network.topology=agt rule.gradient=physical|96.87 ± .11|30.94
10x64 EP asymmetric AGT, decay .3|10 64|feedback.scale=0.1 feedback.mode=asymmetric network.topology=agt rule.gradient=physical update.rate=2e-3 update.schedule=cosine update.decay=0.3|96.87 ± .11|–
10x64 FA|10 64|rule=fa|94.52|–
20x64 EP chain|20 64|feedback.scale=0.01|–|–
20x64 EP residual|20 64|feedback.scale=0.01 network.topology=residual|95.95 ± .18|43.61
20x64 EP residual, beta_i a layer|20 64|feedback.scale=0.01 network.topology=residual feedback.per=layer|95.95 ± .18|43.61
20x64 BP|20 64|rule=bp|97.48|–
END
}
rows_paper() {
  cat <<'END'
2x512 EP|2 512|feedback.scale=0.01 settle.free=10 settle.nudged=5|98.39 ± .04|–
3x512 EP|3 512|feedback.scale=0.01 settle.free=18 settle.nudged=10|98.36 ± .06|–
5x64 EP|5 64|feedback.scale=0.1 settle.free=50 settle.nudged=25|97.64 ± .10|50.72
5x64 EP asymmetric|5 64|feedback.scale=0.1 settle.free=50 settle.nudged=25 feedback.mode=asymmetric|96.37 ± .11|45.27
10x64 EP chain|10 64|feedback.scale=0.1 settle.free=100 settle.nudged=50|92.49 ± .32|34.90
10x64 EP residual|10 64|feedback.scale=0.1 settle.free=100 settle.nudged=50 network.topology=residual|97.49 ± .05|44.46
10x64 EP asymmetric chain|10 64|feedback.scale=0.1 settle.free=100 settle.nudged=50 feedback.mode=asymmetric|87.37|30.37
10x64 EP asymmetric AGT|10 64|feedback.scale=0.1 settle.free=100 settle.nudged=50 feedback.mode=asymmetric network.topology=agt|96.87 ± .11|30.94
10x64 EP residual, growing nudge|10 64|feedback.scale=0.1 settle.free=100 settle.nudged=50 network.topology=residual settle.nudge_course=growing rule.readout=nudged|97.49 ± .05|44.46
10x64 EP asymmetric AGT, growing nudge|10 64|feedback.scale=0.1 settle.free=100 settle.nudged=50 feedback.mode=asymmetric network.topology=agt settle.nudge_course=growing rule.readout=nudged|96.87 ± .11|30.94
20x64 EP residual|20 64|feedback.scale=0.1 settle.free=200 settle.nudged=100 network.topology=residual|95.95 ± .18|43.61
20x64 EP residual, 10 epochs|20 64|feedback.scale=0.1 settle.free=200 settle.nudged=100 network.topology=residual train.epochs=10|95.95 ± .18|43.61
20x64 EP residual, growing nudge, 10 epochs|20 64|feedback.scale=0.1 settle.free=200 settle.nudged=100 network.topology=residual settle.nudge_course=growing rule.readout=nudged train.epochs=10|95.95 ± .18|43.61
3x512 EP SGD|3 512|feedback.scale=0.01 settle.free=18 settle.nudged=10 rule.gradient=physical update.optimizer=sgd update.rate=0.1 train.batch=20 train.epochs=100|97.83 ± .13|–
3x512 EP SGD, 10 epochs|3 512|feedback.scale=0.01 settle.free=18 settle.nudged=10 rule.gradient=normalized update.optimizer=sgd update.rate=0.1 train.batch=20 train.epochs=10|97.83 ± .13|–
3x512 EP SGD physical, 10 epochs|3 512|feedback.scale=0.01 settle.free=18 settle.nudged=10 rule.gradient=physical update.optimizer=sgd update.rate=0.1 train.batch=20 train.epochs=10|97.83 ± .13|–
END
}
rows() {
  "rows_$mode" | grep -E "^[^|]*($pattern)"
}

for seed in $seeds; do
  for dataset in $datasets; do
    rate=1e-3
    [ "$dataset" = cifar10 ] && rate=2e-4
    rows | while IFS='|' read -r name size sets mnist cifar; do
      if [ "$dataset" = cifar10 ] && [ "$cifar" = – ]; then
        continue
      fi
      words=""
      for s in $sets; do
        words="$words --set $s"
      done
      # shellcheck disable=SC2086
      [ "$mode" = paper ] && words="--set settle.method=synchronous $words"
      run_once "$mode $dataset $name $seed" --set dataset=$dataset --set "network.hidden=$(layers $size)" \
        --set train.batch=500 --set train.epochs=50 --set update.rate=$rate --seed "$seed" $words </dev/null
    done
  done
done >&2

for dataset in $datasets; do
  echo "| $dataset | mho: best epoch | last epoch | seeds | paper: best epoch |"
  echo "|---|---|---|---|---|"
  rows | while IFS='|' read -r name size sets mnist cifar; do
    paper=$mnist
    [ "$dataset" = cifar10 ] && paper=$cifar
    line=$("$mho" query --db "$db" --csv "SELECT printf('%.2f', 100*avg(best_test_acc)) || iif(count(*) > 1, printf(' ± %.2f', 100*sqrt(max(0,
        (avg(best_test_acc*best_test_acc) - avg(best_test_acc)*avg(best_test_acc)) * count(*) / max(1, count(*) - 1)))), '') ||
        ' | ' || printf('%.2f', 100*avg(final_test_acc)) || ' | ' || count(*) AS line
      FROM run WHERE name GLOB '$mode $dataset $name [0-9]*' AND status = 'completed' HAVING count(*) > 0" </dev/null | sed -n 2p)
    [ -n "$line" ] && echo "| $name | $line | $paper |"
  done
  echo
done
"$mho" query --db "$db" --csv "SELECT DISTINCT 'mho ' || code_version || ' with ' || blas || ' kernels' AS line FROM run" |
  tail -n +2
