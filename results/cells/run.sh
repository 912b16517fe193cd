#!/bin/sh
# run.sh - digits on cells of 1, 2 and 4 devices, by every way to write them; prints the table of README.md. Stopped at any
# time, it goes on where it was, from the runs kept beside it.
# Usage: results/cells/run.sh (some minutes of one core)
# DB=file, THREADS=n, SEEDS, MHO=command in the environment.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
db=${DB:-results/cells.db}
threads=${THREADS:-1}
seeds=${SEEDS:-1 2 3}
. results/run_once.sh
take_in results/cells/runs*.jsonl.gz

# each LABEL CELLS - a row of the table: mean and standard deviation over the seeds of each scheme, and pulses a weight
each() {
  row="| $1 |"
  for scheme in accumulate stochastic; do
    for card in reram_es reram_sb; do
      for seed in $seeds; do
        run_once "$card-$scheme-$1-$seed" --threads "$threads" --seed "$seed" --set "device.card=$card" \
          --set "update.scheme=$scheme" --set update.optimizer=sgd --set update.rate=0.03 --set 'network.hidden=[64]' \
          --set train.epochs=15 --set train.batch=20 --set "device.cells=$2" >/dev/null
      done
      row="$row $("$mho" query --db "$db" --csv "SELECT 100*final_test_acc, pulses FROM run WHERE status = 'completed'
        AND name LIKE '$card-$scheme-$1-_'" | tail -n +2 | awk -F, '{n++; s += $1; q += $1 * $1; p += $2}
        END {m = s / n; v = q / n - m * m; printf("%.1f ± %.1f, %.2g M", m, n > 1 && v > 0 ? sqrt(v * n / (n - 1)) : 0,
          p / n / 1e6)}') |"
    done
  done
  echo "$row"
}

echo "| cell | accumulate, reram_es | accumulate, reram_sb | stochastic, reram_es | stochastic, reram_sb |"
echo "|---|---|---|---|---|"
each 1 '{n: 1}'
each 2-all '{n: 2, write: all}'
each 2-in_turn '{n: 2, write: in_turn}'
each 2-carry '{n: 2, significance: [1, 4], write: carry}'
each 4-all '{n: 4, write: all}'
each 4-in_turn '{n: 4, write: in_turn}'
each 4-carry '{n: 4, significance: [1, 2, 4, 8], write: carry}'
