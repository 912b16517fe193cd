#!/bin/sh
# run.sh - a noisy sine learned through 1-32-1 by equilibrium propagation, backpropagation and perturbation, in floating point
# and on crossbars: prints the table of README.md. Usage: results/regression/run.sh [SEEDS [DB]], by default "1 2 3 4 5".
# Settings were chosen on seeds 101 to 103. Stopped at any time, it goes on where it was; half a minute on two cores.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
seeds=${1:-1 2 3 4 5}
db=${2:-results/regression.db}
. results/run_once.sh
take_in results/regression/runs.jsonl.gz
# shellcheck disable=SC2086
python3 results/regression/make_sine.py build/regression $seeds

devices="device.model=soft_bounds update.scheme=pulses update.rate=0.003 device.cycle_to_cycle=0.3 device.variation.step=0.2"
circuits="$devices array.model=periphery array.dac_bits=8 array.dac_range=2 array.adc_bits=9 array.read_noise=0.001"
# every row: name|what it sets
rows() {
  cat <<END
float ep|
float bp|rule=bp
float perturb|rule=perturb rule.trials=4 update.rate=0.01
devices ep|$devices
devices ep centred|$devices rule.phases=centred
devices bp|$devices rule=bp
circuits ep|$circuits
circuits bp|$circuits rule=bp
END
}

for seed in $seeds; do
  rows | while IFS='|' read -r name sets; do
    words=""
    for s in $sets; do
      words="$words --set $s"
    done
    # shellcheck disable=SC2086
    run_once "sine $name $seed" results/regression/sine.yaml --seed "$seed" --set "dataset.path=build/regression/$seed" $words </dev/null
  done
done >&2

bp=$("$mho" query --db "$db" --csv "SELECT avg(final_test_rms) FROM run WHERE name GLOB 'sine float bp [0-9]*'" </dev/null | sed -n 2p)
echo "| net | test rms | over that of bp in float | seeds |"
echo "|---|---|---|---|"
rows | while IFS='|' read -r name sets; do
  "$mho" query --db "$db" --csv "SELECT printf('| $name | %.4f ± %.4f | %.3f | %d |', avg(final_test_rms), sqrt(max(0,
    avg(final_test_rms * final_test_rms) - avg(final_test_rms) * avg(final_test_rms)) * count(*) / max(1, count(*) - 1)),
    avg(final_test_rms) / $bp, count(*)) AS line FROM run WHERE name GLOB 'sine $name [0-9]*' AND status = 'completed'
    HAVING count(*) > 0" </dev/null | sed -n 2p | tr -d '"'
done
