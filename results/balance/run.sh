#!/bin/sh
# run.sh - credits against backpropagation on MNIST and the digits, gates, and noise against equilibrium propagation; prints the
# tables of README.md. Stopped at any time, it goes on where it was, from the runs kept beside it. About 10 minutes of one core.
# Usage: results/balance/run.sh; DB=file, THREADS=n, MHO=command in the environment; MNIST in $MHO_DATA/mnist.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
db=${DB:-results/balance.db}
threads=${THREADS:-1}
. results/run_once.sh
take_in results/balance/runs.jsonl.gz

# mean and spread of the numbers it is given, a line each
stats() {
  awk '{n++; s += $1; q += $1 * $1} END {m = s / n; v = q - n * m * m; if (v < 0) v = 0
    printf("%.2f ± %.2f", m, n > 1 ? sqrt(v / (n - 1)) : 0)}'
}
final() {
  "$mho" query --db "$db" --csv "SELECT printf('%.2f', 100*final_test_acc) FROM run WHERE name = '$1' AND status = 'completed'" |
    sed -n 2p
}
# table NAME SEEDS WORDS... - train every seed; a row of the final test accuracies
table() {
  row=$1 seeds=$2
  shift 2
  for seed in $seeds; do
    run_once "$row-$seed" --threads "$threads" --set "train.seed=$seed" "$@" >&2
  done
  all=$(for seed in $seeds; do final "$row-$seed"; done)
  echo "| $row | $(echo "$all" | stats) | $(echo $all) |"
}
# head WHAT - of a table
head_of() {
  echo
  echo "| $1 | test accuracy, % | each seed |"
  echo "|---|---|---|"
}

mnist="--set dataset.name=mnist --set network.hidden=[512,512] --set update.optimizer=adam --set update.rate=1e-3
  --set train.batch=500 --set train.epochs=10"
digits="--set network.hidden=[64,16] --set train.epochs=30 --set observe.cosine=true"

head_of "MNIST, 784-512-512-10"
table mnist-bp "1 2" $mnist --set rule.name=bp
table mnist-balance "1 2" $mnist --set rule.name=balance

head_of "digits, 64-64-16-10"
table digits-bp "1 2 3" $digits --set rule.name=bp
table digits-slope "1 2 3" $digits --set rule.name=balance
table digits-bump "1 2 3" $digits --set rule.name=balance --set rule.gate=bump
table digits-window "1 2 3" $digits --set rule.name=balance --set rule.gate=window
table digits-one "1 2 3" $digits --set rule.name=balance --set rule.gate=one

# mean_cosine RUN CONNECTION EPOCH - over seeds, of the gradient with backpropagation's
mean_cosine() {
  "$mho" query --db "$db" --csv "SELECT printf('%.4f', avg(l.cosine)) FROM layer_epoch AS l JOIN run ON run.id = run_id
    WHERE run.name LIKE '$1-%' AND l.name = '$2' AND l.epoch = $3 AND run.status = 'completed'" | sed -n 2p
}
echo
echo "| gate | x-h1, epoch 1 | h1-h2 | x-h1, epoch 30 | h1-h2 |"
echo "|---|---|---|---|---|"
for gate in slope bump window one; do
  row="| $gate"
  for epoch in 1 30; do
    for connection in x-h1 h1-h2; do
      row="$row | $(mean_cosine digits-$gate $connection $epoch)"
    done
  done
  echo "$row |"
done

head_of "digits in continuous time, settle.method ode"
table digits-relax "1 2 3" $digits --set rule.name=balance --set settle.method=ode --set settle.tolerance=1e-3

head_of "digits, reads with noise"
for sigma in 0.001 0.01 0.1; do
  table read-noise-ep-$sigma "1 2 3" $digits --set rule.name=ep --set array.read_noise=$sigma
  table read-noise-balance-$sigma "1 2 3" $digits --set rule.name=balance --set array.read_noise=$sigma
done
for sigma in 0.1 1; do
  table credit-noise-balance-$sigma "1 2 3" $digits --set rule.name=balance --set rule.credit_noise=$sigma
done

# cosines of the gradient with backpropagation's before anything is learned, under noise of amplifiers and measured states
noises="1e-7 1e-6 1e-5 1e-4 1e-3 1e-2 3e-2 1e-1 3e-1 1"
data=$(mktemp)
trap 'rm -f "$data"' EXIT
for rule in ep balance; do
  for sigma in $noises; do
    for seed in 1 2 3; do
      run_once "cosine-$rule-$sigma-$seed" --threads "$threads" --set "train.seed=$seed" --set "rule.name=$rule" \
        --set network.hidden=[64,16] --set train.batch=100 --set train.epochs=1 --set update.rate=0 --set observe.cosine=true \
        --set array.coupling=analog --set "array.output_noise=$sigma" >&2
    done
    for connection in x-h1 h1-h2; do
      echo "$rule,$connection $sigma $(mean_cosine cosine-$rule-$sigma $connection 1)" >>"$data"
    done
  done
done

# noise at which a cosine falls through 0.7, between the two points around it
half() {
  grep "^$1 " "$data" | awk '{x = log($2); if (NR > 1 && before >= 0.7 && $3 < 0.7) {
    print exp(last + (x - last) * (before - 0.7) / (before - $3)); exit} last = x; before = $3}'
}
echo
echo "| connection | noise at a cosine of 0.7: ep | balance | ratio | 1/(beta_f beta_i^h) |"
echo "|---|---|---|---|---|"
for row in "x-h1 1000" "h1-h2 10"; do
  set -- $row
  echo "$1 $(half "ep,$1") $(half "balance,$1") $2" | awk '{printf "| %s | %.2g | %.2g | %.2g | %s |\n", $1, $2, $3, $3 / $2, $4}'
done

if command -v gnuplot >/dev/null; then
  gnuplot -d <<END
set terminal svg dynamic noenhanced size 720,440
set output 'results/balance/noise.svg'
set logscale x
set format x '1e%T'
set grid y
set border 3
set tics nomirror
set xlabel 'noise of amplifiers and measured states, of full scale'
set ylabel 'cosine with backpropagation'
set key outside right
plot for [line in "ep,x-h1 ep,h1-h2 balance,x-h1 balance,h1-h2"] \
  '< grep ^'.line.' $data' using 2:3 with linespoints linewidth 2 title line
END
fi
