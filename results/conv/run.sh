#!/bin/sh
# run.sh - the convolutional rows of Liu & Chen's Tables 1 and 2, and the MNIST net on devices: prints the tables of
# README.md. Usage: results/conv/run.sh [ROWS [SEEDS [DB]]], for example: "T2 EP|T2 BP" "1 2 3"
# ROWS is a pattern of row names (egrep), by default all. Stopped at any time, it goes on where it was. On two idle cores an
# epoch of MNIST takes about 24 s by EP and 15 s by BP, the synchronous map ten times as long.
set -eu
cd "$(dirname "$0")/../.."
mho=build/mho
rows=${1:-.}
seeds=${2:-1 2 3}
db=${3:-results/conv.db}
. results/run_once.sh
take_in results/conv/runs*.jsonl.gz

# every row: name|config|what it sets|the paper's test accuracy (best epoch)
rows() {
  grep -E "^[^|]*($rows)" <<'END'
T2 EP|mnist||99.27
T2 BP|mnist|rule=bp|99.34
T1 EP|mnist|rule.nudge=0.1 update.optimizer=sgd update.rates=[0.15,0.35,0.9] update.decay=1e-5|99.14
T1 BP|mnist|rule=bp update.optimizer=sgd update.rates=[0.15,0.35,0.9] update.decay=1e-5|98.93
T2 EP synchronous 3 epochs|mnist|settle.method=synchronous settle.free=20 settle.nudged=10 rule.error=live train.epochs=3|–
CIFAR-10 EP|cifar10||75.04
CIFAR-10 BP|cifar10|rule=bp|75.45
devices ideal|mnist|train.epochs=5|–
devices reram_es|mnist|train.epochs=5 device.card=reram_es update.scheme=accumulate|–
devices reram_es verified|mnist|train.epochs=5 device.card=reram_es update.scheme=write_verify update.tolerance=10 update.tries=30 update.max_pulses=5|–
devices ecram|mnist|train.epochs=5 device.card=ecram update.scheme=accumulate|–
devices capacitor|mnist|train.epochs=5 device.card=capacitor update.scheme=accumulate|–
cosine T1|mnist|train.epochs=1 observe.cosine=true rule.nudge=0.1 update.optimizer=sgd update.rates=[0.15,0.35,0.9] update.decay=1e-5|–
cosine T1 fan_in|mnist|train.epochs=1 observe.cosine=true network.init=fan_in rule.nudge=0.1 update.optimizer=sgd update.rates=[0.15,0.35,0.9] update.decay=1e-5|–
END
}

for seed in $seeds; do
  rows | while IFS='|' read -r name config sets paper; do
    words=""
    for s in $sets; do
      words="$words --set $s"
    done
    # shellcheck disable=SC2086
    run_once "conv $name $seed" "results/conv/$config.yaml" --seed "$seed" $words </dev/null
  done
done >&2

echo "| net | mho: best epoch | last epoch | epochs | seeds | paper: best epoch |"
echo "|---|---|---|---|---|---|"
rows | grep -v '^cosine' | while IFS='|' read -r name config sets paper; do
  line=$("$mho" query --db "$db" --csv "SELECT printf('%.2f', 100*avg(best_test_acc)) || iif(count(*) > 1, printf(' ± %.2f', 100*sqrt(max(0,
      (avg(best_test_acc*best_test_acc) - avg(best_test_acc)*avg(best_test_acc)) * count(*) / max(1, count(*) - 1)))), '') ||
      ' | ' || printf('%.2f', 100*avg(final_test_acc)) || ' | ' || max(epochs_done) || ' | ' || count(*) AS line
    FROM run WHERE name GLOB 'conv $name [0-9]*' AND status = 'completed' HAVING count(*) > 0" </dev/null | sed -n 2p)
  [ -n "$line" ] && echo "| $name | $line | $paper |"
done
echo

# what the devices cost, and the first layer's crossbar as a circuit
cir=$(mktemp)
trap 'rm -f "$cir"' EXIT
echo "| devices | test % | pulses a sample | energy a sample | of it writing | time a sample | x-h1 in ngspice |"
echo "|---|---|---|---|---|---|---|"
rows | grep '^devices' | while IFS='|' read -r name config sets paper; do
  "$mho" query --db "$db" --csv "SELECT run.id, printf('%.2f | %.1f | %.3g uJ | %.2g %% | %.3g us', 100*final_test_acc,
      e.pulses / x.samples, 1e6*x.joule / x.samples, 100*x.writing / x.joule, 1e6*x.seconds / x.samples) AS line
    FROM run JOIN epoch AS e ON e.run_id = run.id AND e.epoch = epochs_done JOIN (SELECT run_id, epoch, sum(joule) AS joule,
      sum(seconds) AS seconds, max(samples) AS samples, sum(joule) FILTER (WHERE term IN ('set', 'reset', 'half-selected',
      'verify')) AS writing FROM energy_epoch GROUP BY run_id, epoch) AS x ON x.run_id = run.id AND x.epoch = epochs_done
    WHERE name GLOB 'conv $name [0-9]*' AND status = 'completed' ORDER BY name" </dev/null | tail -n +2 |
    while IFS=, read -r id line; do
      "$mho" netlist "$id" --db "$db" --layer x-h1 --out "$cir" </dev/null
      echo "| ${name#devices } | $line | $("$mho" netlist --check "$cir" </dev/null | tail -n 1 | sed 's/[^:]*: //') |"
    done
done
echo

# the gradient after an epoch against backpropagation's
echo "| setting | seed | test % | cosine: x-h1 | h1-h2 | h2-out |"
echo "|---|---|---|---|---|---|"
rows | grep '^cosine' | while IFS='|' read -r name config sets paper; do
  "$mho" query --db "$db" --csv "SELECT printf('| ${name#cosine } | %d | %.2f | %.4f | %.4f | %.4f |', seed, 100*final_test_acc,
      max(cosine) FILTER (WHERE layer = 0), max(cosine) FILTER (WHERE layer = 1),
      max(cosine) FILTER (WHERE layer = 2)) AS line FROM run JOIN layer_epoch ON run_id = run.id AND epoch = epochs_done
    WHERE run.name GLOB 'conv $name [0-9]*' AND status = 'completed' GROUP BY run.id ORDER BY seed" </dev/null | tail -n +2
done
echo
"$mho" query --db "$db" --csv "SELECT DISTINCT 'mho ' || code_version || ' with ' || blas || ' kernels' AS line FROM run" |
  tail -n +2
