#!/bin/sh
# csdp.sh - contrastive-signal-dependent plasticity: the 8x8 digits, cut as digits_split.py says, by the published settings for 5
# and 20 epochs, and what changes of them cost; AND, OR and XOR (logic.yaml), what it takes to learn them, on pairs of memristors,
# and where these stop; MNIST. Prints the tables of README.md. Stopped at any time, it goes on where it was, from the runs kept
# beside it.
# Usage: results/spiking/csdp.sh [PART...], of digits, changes, logic, takes, pairs, limits, mnist, frozen (default: all but the
# last, whose runs are not kept); DB=file, THREADS=n, SEEDS="1 2 3 4 5" (digits), CHANGE_SEEDS=1 (frozen, changes),
# LOGIC_SEEDS="1 2 ... 10", TAKES_SEEDS="1 2 3", PAIR_SEEDS="1 2 ... 20", LIMIT_SEEDS="1 2 3", MHO=command in the environment.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
db=${DB:-results/csdp.db}
threads=${THREADS:-1}
seeds=${SEEDS:-1 2 3 4 5}
change_seeds=${CHANGE_SEEDS:-1}
logic_seeds=${LOGIC_SEEDS:-$(seq 10)}
pair_seeds=${PAIR_SEEDS:-$(seq 20)}
takes_seeds=${TAKES_SEEDS:-1 2 3}
limit_seeds=${LIMIT_SEEDS:-1 2 3}
parts=${*:-digits changes logic takes pairs limits mnist}
. results/run_once.sh
take_in results/spiking/csdp_runs*.jsonl.gz
folder=$db.data # stays, for runs that go on

# mean and spread of the numbers it is given, a line each
stats() {
  awk '{n++; s += $1; q += $1 * $1} END {m = s / n; v = q - n * m * m; if (v < 0) v = 0
    printf("%.2f ± %.2f", m, n > 1 ? sqrt(v / (n - 1)) : 0)}'
}
# ask SQL - the first column of what it says, a line each
ask() {
  "$mho" query --db "$db" --csv "$1" | tail -n +2 | tr -d '"'
}

# ---------------------------------------------------------------- digits

digits="--set rule=csdp --set network.hidden=[256,64] --set train.batch=98 --set dataset=table --set dataset.path=$folder/digits --set dataset.kind=classes --set dataset.normalize=none"

digits_header() {
  echo "| run | last validation, % | each seed | pulses |"
  echo "|---|---|---|---|"
}
# trained NAME SEEDS WORDS... - every seed
trained() {
  row=$1
  over=$2
  shift 2
  for seed in $over; do
    run_once "$row-$seed" --threads "$threads" --set "train.seed=$seed" "$@" >&2
  done
}
# after EPOCHS NAME SEEDS - a row of validation accuracies, and of pulses up to there
after() {
  last=$(for seed in $3; do
    ask "SELECT printf('%.2f', 100 * test_acc) FROM epoch JOIN run ON run.id = run_id
      WHERE name = '$2-$seed' AND status = 'completed' AND epoch = $1"
  done)
  pulses=$(for seed in $3; do
    ask "SELECT sum(epoch.pulses) FROM epoch JOIN run ON run.id = run_id
      WHERE name = '$2-$seed' AND status = 'completed' AND epoch <= $1"
  done | awk '{s += $1} END {printf("%.3g", s / NR)}')
  echo "| $2, $1 epochs | $(echo "$last" | stats) | $(echo $last) | $pulses |"
}
# changed NAME WORDS... - 5 epochs
changed() {
  row=$1
  shift
  trained "$row" "$change_seeds" $digits --set train.epochs=5 "$@"
  after 5 "$row" "$change_seeds"
}

# ---------------------------------------------------------------- logic functions

# learned ROW SEEDS WORDS... - in how many seeds at least 95 of the 100 presentations are answered right after the last epoch; the
# mean of those right; and of all that ever are, the first epoch, pulses and J until then
learned() {
  row=$1
  over=$2
  shift 2
  for seed in $over; do
    run_once "$row-$seed" results/spiking/logic.yaml --threads 1 --set "train.seed=$seed" "$@" >&2
  done
  names=$(for seed in $over; do echo "'$row-$seed'"; done | paste -sd,)
  ask "WITH chosen AS (SELECT id, final_test_acc AS last FROM run WHERE name IN ($names) AND status = 'completed'),
    first AS (SELECT run_id, min(epoch) AS at FROM epoch JOIN chosen ON id = run_id WHERE test_acc >= 0.95 GROUP BY run_id),
    cost AS (SELECT at, sum(pulses) AS pulses, sum(energy_j) AS joule
      FROM first JOIN epoch USING (run_id) WHERE epoch <= at GROUP BY run_id)
    SELECT '| $row | ' || sum(last >= 0.95) || ' of ' || count(*) || ' | ' || printf('%.1f', 100 * avg(last)) || ' | '
      || coalesce((SELECT printf('%.1f | %.3g | %.3g', avg(at), avg(pulses), avg(joule)) FROM cost), ' | | ') || ' |' AS answer
    FROM chosen"
}
logic_header() {
  echo "| run | learned | right, % | first epoch of 95 | pulses until then | J |"
  echo "|---|---|---|---|---|---|"
}
# of devices of $1 levels, with a cycle-to-cycle noise of $2 steps; times of the chip, 1 us for 100 ms
linear() {
  step=$(awk "BEGIN {print 1 / $1}")
  echo "--set device=linear --set device.step_up=$step --set device.step_down=$step --set device.cycle_to_cycle=$2
    --set update.scheme=stochastic --set update.rate=0.1 --set settle.time_scale=1e-5"
}

case " $parts " in *" digits "* | *" frozen "* | *" changes "*) python3 results/spiking/digits_split.py "$folder/digits" ;; esac
case " $parts " in *" logic "* | *" takes "* | *" pairs "* | *" limits "*) python3 results/spiking/logic.py "$folder/4" ;; esac
for part in $parts; do
  case $part in
  digits)
    digits_header
    trained digits-20 "$seeds" $digits --set train.epochs=20
    after 5 digits-20 "$seeds"
    after 20 digits-20 "$seeds"
    ;;
  changes)
    digits_header
    levels="--set device=linear --set device.step_up=0.001 --set device.step_down=0.001"
    changed exact --set settle.integrate=exact
    changed presentation --set update.apply=batch
    changed presentation-rate-0.05 --set update.apply=batch --set update.rate=0.05
    changed no-decay --set rule.decay=0
    changed groups-8 --set rule.groups=8
    changed accumulate $levels --set update.scheme=accumulate
    changed stochastic $levels --set update.scheme=stochastic --set update.rate=0.1
    ;;
  frozen)
    digits_header
    changed frozen --set rule.decay=0 --set 'update.rates=[0,0,1e-3,1e-3,0,0,0,0,0]'
    ;;
  logic)
    logic_header
    for function in and or xor; do
      learned "$function" "$logic_seeds" --set "dataset.path=$folder/4/$function"
    done
    ;;
  takes)
    logic_header
    python3 results/spiking/logic.py "$folder/1" 1
    python3 results/spiking/logic.py "$folder/equal" 4 --equal
    xor="--set dataset.path=$folder/4/xor"
    one="--set dataset.path=$folder/1"
    gain="--set neuron.gain.forward=0.1 --set neuron.gain.lateral=0.01 --set feedback.scale=0.1"
    published="$gain --set network.hidden=[8,4] --set rule.threshold=10 --set neuron.threshold.law=layer --set rule.decay=7e-5"
    learned xor-8-4 "$takes_seeds" $xor --set network.hidden=[8,4]
    learned xor-1-line "$takes_seeds" $one/xor
    learned xor-1-line-goodness "$takes_seeds" $one/xor --set network.output=goodness
    learned xor-gain-0.1 "$takes_seeds" $xor $gain
    learned xor-threshold-10 "$takes_seeds" $xor --set rule.threshold=10
    learned xor-layer-law "$takes_seeds" $xor --set neuron.threshold.law=layer
    learned xor-published "$takes_seeds" $one/xor $published
    learned and-equal "$logic_seeds" --set "dataset.path=$folder/equal/and"
    learned and-1-line "$takes_seeds" $one/and
    learned and-published "$takes_seeds" $one/and $published
    ;;
  pairs)
    logic_header
    python3 results/spiking/logic.py "$folder/equal" 4 --equal
    for run in 'and 4/and differential' 'xor 4/xor differential' 'xor 4/xor one_sided' 'and-equal equal/and differential' \
      'and-equal equal/and one_sided' 'or-equal equal/or differential' 'or-equal equal/or one_sided'; do
      set -- $run
      refresh=
      [ "$3" = differential ] || refresh="--set device.refresh.every=50" # once a presentation
      learned "$1-$3" "$pair_seeds" --set "dataset.path=$folder/$2" $(linear 100 0.1) --set "device.mapping=$3" $refresh
    done
    ;;
  limits)
    logic_header
    here="--set dataset.path=$folder/4/xor --set device.mapping=differential"
    for point in '16 0 0' '16 0.3 0' '16 1 0' '32 0 0' '32 0.3 0' '32 1 0' '100 0 0' '100 0.3 0' '100 1 0' '1000 0 0' \
      '1000 0.3 0' '1000 1 0' '8 0 0' '8 1 0' '16 0 0.3' '16 1 0.3' '100 0 0.3' '100 1 0.3'; do
      set -- $point
      spread=$(awk "BEGIN {print $3 * 0.055}")
      learned "xor-$1-levels-noise-$2-spread-$3" "$limit_seeds" $here $(linear "$1" "$2") \
        --set "neuron.threshold.spread=$spread"
    done
    ;;
  mnist)
    echo "| epoch | train, % | test, % |"
    echo "|---|---|---|"
    run_once mnist-1 --threads "$threads" --set rule=csdp --set dataset=mnist --set network.hidden=[1000,200] \
      --set train.batch=500 --set update.rate=2e-3 --set rule.decay=5e-5 --set train.epochs=5 >&2
    ask "SELECT printf('| %d | %.2f | %.2f |', epoch, 100 * epoch.train_acc, 100 * test_acc) AS answer
      FROM epoch JOIN run ON run.id = run_id WHERE name = 'mnist-1' ORDER BY epoch"
    ;;
  *)
    echo "csdp.sh: '$part' is none of digits, frozen, changes, logic, takes, pairs, limits, mnist" >&2
    exit 2
    ;;
  esac
done
