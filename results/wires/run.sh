#!/bin/sh
# run.sh - wire resistance and the accuracy of EP: nets of 2 x N hidden neurons trained without wires and read with them
# ("added"), and trained with them ("trained"), in arrays of one piece or in tiles. Appends to wires.csv here what it lacks, so
# that it goes on where it was stopped, then writes the table and the plot. About half an hour of one core.
# Usage: results/wires/run.sh [digits|mnist|write|tables]...   (all without words; MHO names the program, default build/mho)
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
here=results/wires
db=${DB:-results/wires.db}
csv=$here/wires.csv
writes=$here/write.csv
. results/run_once.sh

head=dataset,hidden,tile,ohm,rate,seed,without,added,trained
[ -s $csv ] || echo $head >$csv
accuracy() { sed -n 's/.*"accuracy":\([0-9.]*\).*/\1/p'; }
last() { # NAME: test accuracy of a finished run after its last epoch
  "$mho" query --db "$db" --csv "SELECT final_test_acc FROM run WHERE name = '$1' AND status = 'completed' LIMIT 1" | tail -n 1
}

# cases DATASET "HIDDEN.." "TILES.." "OHMS.." RATE "SEEDS.." TRAIN-WORDS: a line of the CSV for each
cases() {
  dataset=$1 sizes=$2 tiles=$3 ohms=$4 rate=$5 seeds=$6
  shift 6
  for seed in $seeds; do
    for hidden in $sizes; do
      case="$dataset-$hidden-$rate-$seed"
      common="--threads 1 --json --seed $seed --set dataset=$dataset --set network.hidden=[$hidden,$hidden] --set device=linear
        --set update.rate=$rate $*"
      for tile in $tiles; do
        for ohm in $ohms; do
          grep -q "^$dataset,$hidden,$tile,$ohm,$rate,$seed," $csv && continue
          wires="--set array.wire.tile=$tile --set array.wire.tolerance=1e-4 --set array.wire.r_word=${ohm}ohm
            --set array.wire.r_bit=${ohm}ohm"
          run_once "wires-plain-$case" $common >/dev/null
          run_once "wires-$case-$tile-$ohm" $common $wires >/dev/null
          added=$("$mho" eval "wires-plain-$case" --db "$db" --threads 1 --json $wires | accuracy)
          echo "$dataset,$hidden,$tile,$ohm,$rate,$seed,$(last "wires-plain-$case"),$added,$(last "wires-$case-$tile-$ohm")" >>$csv
        done
      done
    done
  done
}

for part in ${*:-digits mnist write tables}; do
  case $part in
  digits)
    cases digits "32 64 128" "1024 32" "1 2 5 10 20" 0.002 "1 2 3 4 5" --set train.epochs=20
    cases digits "64" "1024 32" "1 2 5 10 20" 0.006 "1 2 3 4 5" --set train.epochs=20
    cases digits "128" "1024" "5 10 20" 0.006 "1 2 3" --set train.epochs=20
    cases digits "64 128" "1024" "5 10 20" 0.02 "1 2 3" --set train.epochs=20
    ;;
  mnist)
    cases mnist 128 "1024 128" "0.5 1 2 5" 0.001 "1 2 3" --set train.epochs=3 --set train.batch=200 --set array.wire.refresh=10
    ;;
  write) # pulses through the lines: how cells are picked, on devices that answer V/2 differently
    [ -s $writes ] || echo device,slope,select,ohm,seed,accuracy,pulses >$writes
    for seed in 1 2; do
      for ohm in 0 5; do
        for select in ideal transistor half third; do
          for device in linear,20 linear,10 vteam,0 yakopcic,0 linear_ion,0; do
            grep -q "^$device,$select,$ohm,$seed," $writes && continue
            [ $ohm$select = 0transistor ] && continue # the same as ideal
            case $device in # pulses of about 2e-3 of the range
            linear,*) keys="--set device.step_up=0.002 --set device.step_down=0.002 --set device.weak_pulse.slope=${device#linear,}" ;;
            vteam,*) keys="--set device.width=0.25ms" ;;
            yakopcic,*) keys="--set device.width=1.3us --set array.read_voltage=0.1V" ;; # reads below its thresholds of .16 and .15 V
            *) keys="" ;;
            esac
            name="write-$device-$select-$ohm-$seed"
            run_once "$name" --threads 1 --json --seed $seed --set dataset=digits --set "network.hidden=[64,64]" \
              --set device=${device%,*} $keys --set update.scheme=accumulate --set update.rate=0.002 --set train.epochs=20 \
              --set array.write.select=$select --set array.wire.r_word=${ohm}ohm --set array.wire.r_bit=${ohm}ohm \
              --set array.wire.tolerance=1e-4 >/dev/null
            echo "$device,$select,$ohm,$seed,$(last "$name"),$("$mho" query --db "$db" --csv \
              "SELECT pulses FROM run WHERE name = '$name' LIMIT 1" | tail -n 1)" >>$writes
          done
        done
      done
    done
    ;;
  esac
done

# mean and standard deviation over the seeds, %: dataset,hidden,tile,ohm,rate,seeds,without,std,added,std,trained,std
means() {
  awk -F, 'NR > 1 { k = $1 "," $2 "," $3 "," $4 "," $5; if (!(k in n)) order[++m] = k; n[k]++
    for (q = 0; q < 3; q++) { v = 100 * $(7 + q); s[k, q] += v; s2[k, q] += v * v } }
    END { for (i = 1; i <= m; i++) { k = order[i]; line = k "," n[k]
      for (q = 0; q < 3; q++) { a = s[k, q] / n[k]; d = n[k] > 1 ? (s2[k, q] - n[k] * a * a) / (n[k] - 1) : 0
        line = line sprintf(",%.2f,%.2f", a, sqrt(d > 0 ? d : 0)) }
      print line } }' $csv
}
means | awk -F, 'BEGIN { print "| data | N | array | rate | ohm | no wires | added | trained | won back |"; print "|---|---|---|---|---|---|---|---|---|" }
  { lost = $7 - $9; won = lost >= 1 ? sprintf("%.0f %%", 100 * ($11 - $9) / lost) : "–"
    printf "| %s | %s | %s | %s | %s | %s | %s ± %s | %s ± %s | %s |\n", $1, $2, ($3 > 999 ? "one piece" : $3 " x " $3), $5, $4, $7, $9, $10, $11, $12, won }'
panel() { # TITLE DATASET HIDDEN TILE RATE
  printf "set title '%s'; " "$1"
  for what in "9:10 added afterwards" "11:12 trained with wires"; do
    data=$(means | grep "^$2,$3,$4,[^,]*,$5,")
    [ "$what" = "9:10 added afterwards" ] && printf '$d << EOD\n%s\nEOD\n' "$data" &&
      printf 'plot $d using 4:7 with lines lc rgb "gray40" dt 2 title "no wires"'
    printf ', $d using 4:%s:%s with yerrorlines pt 7 ps 0.5 title "%s"' "$(echo "$what" | cut -d: -f1)" \
      "$(echo "$what" | sed 's/.*:\([0-9]*\) .*/\1/')" "$(echo "$what" | cut -d' ' -f2-)"
  done
  echo
}
if command -v gnuplot >/dev/null; then
  {
    echo "set terminal svg size 1100,1250 font 'sans,12' background 'white'; set output '$here/wires.svg'"
    echo "set datafile separator ','; set multiplot layout 4,2 title 'EP on linear devices of 1 to 100 uS: test accuracy (%) against the resistance of a wire segment (ohm)'"
    echo "set logscale x; set yrange [0:100]; set grid; set key bottom left; set xrange [0.4:25]"
    for hidden in 32 64 128; do
      panel "digits, 2 x $hidden, one piece" digits $hidden 1024 0.002
      panel "digits, 2 x $hidden, tiles of 32 x 32" digits $hidden 32 0.002
    done
    panel "MNIST, 2 x 128, one piece" mnist 128 1024 0.001
    panel "MNIST, 2 x 128, tiles of 128 x 128" mnist 128 128 0.001
    echo "unset multiplot"
  } | gnuplot
fi
[ -s $writes ] && awk -F, 'NR > 1 { d = $1 ($2 > 0 ? ", slope " $2 : ""); if (!(d in seen)) { seen[d]; order[++m] = d }
    k = d SUBSEP $4 SUBSEP $3; n[k]++; sum[k] += 100 * $6 }
  function cell(d, ohm, how, k) { k = d SUBSEP ohm SUBSEP how; return (k in n) ? sprintf("%.1f", sum[k] / n[k]) : "–" }
  END { print "\n| device | 0 ohm: ideal | half | third | 5 ohm: ideal | transistor | half | third |\n|---|---|---|---|---|---|---|---|"
    for (i = 1; i <= m; i++) { d = order[i]
      print "| " d " | " cell(d, 0, "ideal") " | " cell(d, 0, "half") " | " cell(d, 0, "third") " | " cell(d, 5, "ideal") " | " \
        cell(d, 5, "transistor") " | " cell(d, 5, "half") " | " cell(d, 5, "third") " |" } }' $writes
