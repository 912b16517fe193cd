#!/bin/sh
# run.sh - accuracy of EP against each non-ideality alone: trains what the database lacks, then writes the tables and
# plots of this folder. Stopped at any time, it goes on where it was. About 10 minutes of one core on the embedded digits; with
# DATA=mnist, 10 000 images of MNIST for two epochs and one seed instead, as long again. MHO names the command, JOBS how many runs go on at
# once; words behind the database choose studies, "tables" none.
set -eu
cd "$(dirname "$0")"
mho=${MHO:-../../build/mho}
data=${DATA:-digits}
db=${1:-../nonidealities_$data.db}
[ $# -gt 0 ] && shift
case $data in
digits) csv=results.csv plot=nonidealities.svg on="digits" words= seeds=3 ;;
mnist)
  csv=mnist.csv plot=mnist.svg seeds=1 on="MNIST (10 000 images, 2 epochs)"
  words="--set dataset=mnist --set dataset.train=10000 --set train.epochs=2"
  ;;
*)
  echo "DATA is digits or mnist, not $data" >&2
  exit 2
  ;;
esac
for file in runs_$data*.jsonl.gz; do
  [ ! -e "$file" ] || "$mho" import "$file" --db "$db" >&2
done
studies=$(mktemp -d)
trap 'rm -rf "$studies"' EXIT
for file in *.yaml; do
  sed "s/^seeds: .*/seeds: $seeds/" "$file" > "$studies/$file"
done
for study in ${*:-none nonlinearity asymmetry levels on_off cycle_to_cycle device_to_device bounds read_noise \
  noise_centred_average adc_bits adc_once adc_held stuck}; do
  [ "$study" = tables ] && break
  "$mho" sweep "$studies/$study.yaml" --db "$db" --jobs "${JOBS:-1}" --threads 1 $words >&2
done

# study, where its value lies in a run's config, name on the plot, scale of the axis
table="nonlinearity|device.nl_up|nonlinearity label, SET and -RESET|
asymmetry|device.step_down|RESET step (SET: 0.001)|log
levels|device.step_up|step, of the range|log
on_off|device.g_min|g_min, S (g_max 100e-6), with noise of 3e-4 G|log
cycle_to_cycle|device.cycle_to_cycle|cycle-to-cycle noise, of the step|log
device_to_device|device.variation.step|spread of the steps|log
bounds|device.variation.g_high|spread of the bounds, of the range|log
stuck|device.stuck_on|fraction stuck on, and off|log
read_noise|array.read_noise|read noise, of the range|log
noise_centred_average|array.read_noise|the same: centred, 16 reads averaged|log
adc_bits|array.adc_bits|bits of the ADC|
adc_once|array.adc_bits|bits, full scale kept from the initial weights|
adc_held|array.adc_bits|the same: free state held, ranging|"
ask() { # FROM-WHERE with the value as v
  "$mho" query --db "$db" --csv "$1" | tail -n +2
}
echo "study,layers,value,beta_i,nudge,accuracy,std,seeds" > $csv
one="printf('%.4f', test_acc_mean), printf('%.4f', coalesce(test_acc_std, 0)), s.n FROM v_study s JOIN run r ON r.id = s.run_id"
net="json_array_length(s.hidden)"
ask "SELECT 'none', $net, 0, printf('%g', s.feedback_scale), printf('%g', s.nudge), $one WHERE study = 'none' ORDER BY 2, 4, 5" >> $csv
echo "$table" | while IFS='|' read -r study key title axis; do
  ask "SELECT '$study', $net, printf('%g', json_extract(r.config, '\$.$key')) AS v, printf('%g', s.feedback_scale), printf('%g', s.nudge), $one
       WHERE study = '$study' AND s.n > 0 ORDER BY 2, 4, 5, CAST(v AS REAL)" >> $csv
done
# drift: the runs of 'none', read through PCM's law of drift a time after programming
ask "SELECT r.id, json_array_length(r.hidden), printf('%g', r.feedback_scale), printf('%g', r.nudge) FROM run r JOIN study_run ON run_id = r.id
     WHERE study = 'none' AND status = 'completed' ORDER BY 2, 3, 4, r.seed" | while IFS=, read -r id layers beta nudge; do
  "$mho" eval "$id" --db "$db" --threads 1 --set device.drift.law=pcm --after 1min,1h,1d,1mo,1y |
    awk -v l="$layers" -v b="$beta" -v n="$nudge" 'BEGIN { split("0 60 3600 86400 2629800 31557600", t, " ") }
      NR > 2 { printf "drift,%s,%s,%s,%s,%.4f\n", l, t[NR - 2], b, n, $2 / 100 }'
done | sort -t, -k2,2 -k4,4 -k5,5 -k3,3g | awk -F, '{ k = $1 "," $2 "," $3 "," $4 "," $5; if (k != last && last) out(); last = k; n++; s += $6; q += $6 * $6 }
  function out() { m = s / n; d = n > 1 ? (q - s * m) / (n - 1) : 0; printf "%s,%.4f,%.4f,%d\n", last, m, sqrt(d > 0 ? d : 0), n; n = s = q = 0 }
  END { if (last) out() }' >> $csv

curves="2 0.01 0.1
2 0.1 1
5 0.1 0.1
5 0.1 1"
each_curve() { # STUDY: the four of them, for plot
  echo "$curves" | while read -r layers beta nudge; do
    if [ "$1" ]; then
      printf "'< grep ^%s,%s, $csv' using 3:(\$4 == %s && \$5 == %s ? 100*\$6 : NaN) with linespoints pointsize 0.4, " "$1" $layers $beta $nudge
    else
      printf "NaN with linespoints title '%s layers, beta_i %s, nudge %s', " $layers $beta $nudge
    fi
  done
}
{
  echo "set terminal svg size 1200,1400 font 'sans,11' background 'white'; set output '$plot'"
  echo "set datafile separator ','; set multiplot layout 5,3 title 'EP on $on, hidden layers of 32: test accuracy (%)'"
  echo "set yrange [0:100]; set key off; set grid"
  { echo "$table"; echo "drift|x|time after programming, s (law of PCM)|log"; } | while IFS='|' read -r study key title axis; do
    grep -q "^$study," $csv || continue
    [ "$axis" = log ] && echo "set logscale x; set format x '10^{%L}'" || echo "unset logscale x; set format x '%g'"
    [ $study = drift ] && echo "set xrange [10:1e8]" || echo "set xrange [*:*]"
    printf 'set xlabel "%s" noenhanced; plot %s NaN notitle\n' "$title" "$(each_curve $study)"
  done
  echo "set key center center; unset border; unset tics; unset xlabel; unset logscale x; unset grid; set xrange [0:1]; set yrange [0:1]"
  printf 'plot %s NaN notitle\nunset multiplot\n' "$(each_curve '')"
} | gnuplot
