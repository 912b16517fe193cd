#!/bin/sh
# run.sh - which learning signal survives a read: feedback control, equilibrium propagation and backpropagation on the
# device of results/nonidealities, with noisy reads, converters and unequal amplifiers. Trains what the database lacks, then
# writes the table, the plot and the rows of README.md. Stopped at any time, it goes on where it was. About 40 minutes of
# one core on the digits; DATA=mnist trains on 10,000 images of MNIST for two epochs, about two hours. MHO names the command, JOBS how many
# runs go on at once; words behind the database choose methods, "tables" none.
# Usage: results/control/run.sh [DB [METHOD...]]
set -eu
cd "$(dirname "$0")"
mho=${MHO:-../../build/mho}
data=${DATA:-digits}
db=${1:-../control_$data.db}
[ $# -gt 0 ] && shift
case $data in
digits) words= on="digits" images=1437 ;;
mnist) words="--set dataset=mnist --set dataset.train=10000 --set train.epochs=2" on="MNIST (10,000 images, 2 epochs)" images=10000 ;;
*)
  echo "DATA is digits or mnist, not $data" >&2
  exit 2
  ;;
esac
# a database of an older mho, which only a command that writes brings up to date
[ ! -e "$db" ] || "$mho" db migrate "$db" >&2
for file in runs_$data.jsonl.gz; do
  [ ! -e "$file" ] || "$mho" import "$file" --db "$db" >&2
done

# name | title | what its config sets, beside the base
ep="rule.name: ep, settle.method: sweep, settle.difference: subtract, feedback.scale: 0.1, rule.nudge: 1"
dfc="rule.name: dfc, rule.target: label, rule.control: time, rule.read: mean, rule.ratio: 0.2, rule.dt: 0.1, rule.steps: 50"
methods="bp|backpropagation|rule.name: bp
ep|EP, one-sided|$ep
centred|EP, centred|$ep, rule.phases: centred
points|EP, 4 points|$ep, rule.phases: points, rule.points: 4
average|EP, centred, 4 sweeps averaged|$ep, rule.phases: centred, settle.average: 4
equal|EP, centred, 3 reads averaged|$ep, rule.phases: centred, array.average: 3
repeat|EP, centred, 16 reads averaged|$ep, rule.phases: centred, array.average: 16
adapted|EP, one-sided, adaptation .1|$ep, rule.adaptation: 0.1, rule.adaptation_steps: -1
chain_0.25|control, chain, gain .25|$dfc, rule.gain: 0.25
chain_1|control, chain, gain 1|$dfc, rule.gain: 1
chain_2.5|control, chain, gain 2.5|$dfc, rule.gain: 2.5
two_0.25|control, chain, two circuits, gain .25|$dfc, rule.gain: 0.25, rule.copies: two
two_1|control, chain, two circuits, gain 1|$dfc, rule.gain: 1, rule.copies: two
two_2.5|control, chain, two circuits, gain 2.5|$dfc, rule.gain: 2.5, rule.copies: two
direct_0.25|control, arrays Q, gain .25|$dfc, rule.gain: 0.25, feedback.path: direct
direct_1|control, arrays Q, gain 1|$dfc, rule.gain: 1, feedback.path: direct
direct_2.5|control, arrays Q, gain 2.5|$dfc, rule.gain: 2.5, feedback.path: direct"
# name | title | what it sets
conditions="exact|exact|train.batch: 20
noise_1e-4|read noise 1e-4|array.read_noise: 1e-4
noise_1e-3|1e-3|array.read_noise: 1e-3
noise_1e-2|1e-2|array.read_noise: 1e-2
noise_1e-1|1e-1|array.read_noise: 1e-1
adc_6|ADC of 6 bits|array.adc_bits: 6, array.tiles: analog, array.calibration.every: 50
offset_0.1|offsets of .1|neuron.variation.offset: 0.1"
[ $data = digits ] || conditions=$(echo "$conditions" | grep -v '^noise_1e-[14]|')
# The offset that halves the accuracy is looked for with two circuits.
offsets="0.001 0.003 0.01 0.03 0.1 0.3"

# study NAME METHOD-SETS CONDITION-SETS: both depths, three seeds
study() {
  case $2 in # EP settles, and needs more sweeps where the last ones are averaged; what is passed forward does not settle
  *"settle.average: 4"*) shallow=", settle.free: 6, settle.nudged: 7" deep=", settle.free: 15, settle.nudged: 12" ;;
  *"name: ep"*) shallow=", settle.free: 6, settle.nudged: 3" deep=", settle.free: 15, settle.nudged: 8" ;;
  *) shallow= deep= ;;
  esac
  cat > "$folder/$1.yaml" <<END
base: {dataset: digits, device: {model: linear, step_up: 0.001, step_down: 0.001},
  update: {optimizer: adam, rate: 2e-3, scheme: accumulate}, array: {model: periphery}, train: {epochs: 10, batch: 20}}
set: {$2, $3}
points:
  - {network.hidden: [32, 32]$shallow}
  - {network.hidden: [32, 32, 32, 32, 32]$deep}
seeds: 3
END
  "$mho" sweep "$folder/$1.yaml" --db "$db" --jobs "${JOBS:-1}" --threads 1 $words >&2
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
wanted=${*:-$(echo "$methods" | cut -d'|' -f1) offsets}
for name in $wanted; do
  [ "$name" = tables ] && break
  if [ "$name" = offsets ]; then
    for offset in $offsets; do
      study "two_0.25-offset_$offset" "$(echo "$methods" | grep '^two_0.25|' | cut -d'|' -f3)" "neuron.variation.offset: $offset"
    done
    continue
  fi
  sets=$(echo "$methods" | grep "^$name|" | cut -d'|' -f3)
  [ "$sets" ] || { echo "no method $name: there are $(echo "$methods" | cut -d'|' -f1 | tr '\n' ' ')" >&2; exit 2; }
  echo "$conditions" | while IFS='|' read -r condition title more; do
    study "$name-$condition" "$sets" "$more" < /dev/null
  done
done

# method, condition, hidden layers, accuracy in %, its spread, seeds, reads of an array for a training image
csv=results_$data.csv
echo "method,condition,layers,accuracy,std,seeds,reads" > "$csv"
"$mho" query --db "$db" --csv "SELECT substr(study, 1, instr(study, '-') - 1), substr(study, instr(study, '-') + 1),
  json_array_length(hidden), printf('%.2f', 100 * test_acc_mean), printf('%.2f', 100 * coalesce(test_acc_std, 0)), n,
  (SELECT printf('%.0f', avg(e.reads) * coalesce(json_extract(r.config, '\$.array.average'), 1) / $images)
   FROM epoch AS e JOIN run AS r ON r.id = e.run_id WHERE r.id = s.run_id)
  FROM v_study AS s WHERE n > 0 ORDER BY 3, 1, 2" | tail -n +2 >> "$csv"

table() { # LAYERS
  echo
  echo "| $1 hidden layers | reads |$(echo "$conditions" | cut -d'|' -f2 | sed 's/.*/ & |/' | tr -d '\n')"
  echo "|---|---|$(echo "$conditions" | sed 's/.*/---|/' | tr -d '\n')"
  echo "$methods" | while IFS='|' read -r name title more; do
    awk -F, -v name="$name" -v title="$title" -v layers="$1" -v order="$(echo "$conditions" | cut -d'|' -f1 | tr '\n' ' ')" '
      $1 == name && $3 == layers { cell[$2] = $4 " ± " $5; if ($2 == "noise_1e-3") reads = $7 }
      END { n = split(order, c, " "); line = "| " title " | " reads
        for (i = 1; i <= n; i++) line = line " | " (c[i] in cell ? cell[c[i]] : "–")
        print line " |" }' "$csv"
  done
}
table 2
table 5
echo
echo "| two circuits, gain .25, offsets of | 2 layers | 5 layers |"
echo "|---|---|---|"
for offset in $offsets; do
  awk -F, -v o="offset_$offset" '$1 == "two_0.25" && $2 == o { cell[$3] = $4 " ± " $5 }
    END { if (2 in cell) print "| " substr(o, 8) " | " cell[2] " | " cell[5] " |" }' "$csv"
done

# Accuracy against the noise of reads; exact ones stand at the left end.
# backpropagation is black, EP dashed, control thick
lines="bp|lc rgb 'black' lw 1.5
ep|lc rgb '#08519c' dt 2
centred|lc rgb '#3182bd' dt 2
points|lc rgb '#756bb1' dt 2
average|lc rgb '#31a354' dt 2
equal|lc rgb '#74c476' dt 2
repeat|lc rgb '#006d2c' dt 2
adapted|lc rgb '#969696' dt 2
chain_0.25|lc rgb '#a50f15' lw 2.5
chain_1|lc rgb '#fb6a4a' lw 2.5
chain_2.5|lc rgb '#fdae6b' lw 2.5
direct_0.25|lc rgb '#e7298a' lw 2.5"
{
  echo "set terminal svg size 1100,520 font 'sans,12' background 'white'; set output 'noise_$data.svg'"
  echo "set datafile separator ','; set multiplot layout 1,2 title 'Test accuracy on $on (%) against read noise, of the range'"
  echo "set yrange [0:100]; set logscale x; set xrange [7e-6:0.2]; set xtics ('exact' 1e-5, '10^{-4}' 1e-4, '10^{-3}' 1e-3, '10^{-2}' 1e-2, '10^{-1}' 1e-1); set grid; set key bottom left samplen 1.5"
  for layers in 2 5; do
    printf "set title '%s hidden layers of 32'; plot " $layers
    echo "$lines" | while IFS='|' read -r name style; do
      title=$(echo "$methods" | grep "^$name|" | cut -d'|' -f2)
      printf "\"< sed -n 's/^%s,noise_/%s,/p; s/^%s,exact/%s,1e-5/p' $csv | grep '^[^,]*,[^,]*,%s,' | sort -t, -k2,2g\" using 2:4 with linespoints pointsize 0.5 %s title '%s', " \
        "$name" "$name" "$name" "$name" "$layers" "$style" "$title"
    done
    echo "NaN notitle"
    echo "set key off"
  done
  echo "unset multiplot"
} | gnuplot
