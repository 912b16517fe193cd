#!/bin/sh
# run.sh - settling in physical time, and what reading early, noise and mismatch cost; prints the tables of README.md and
# writes the plots beside it. Stopped at any time, it goes on where it was. About 50 minutes of one core in all.
# Usage: results/dynamics/run.sh [PART...], of: times unsettled read read_mnist noise mismatch; DB=file, THREADS=n,
# SEEDS="1 2 3" (of read, noise and mismatch), LEVELS (of noise) in the environment. unsettled and read_mnist need MNIST.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
db=${DB:-results/dynamics.db}
threads=${THREADS:-1}
seeds=${SEEDS:-1 2 3}
out=results/dynamics
parts=${*:-times unsettled read read_mnist noise mismatch}
. results/run_once.sh
take_in results/dynamics/runs*.jsonl.gz

# numbers of `mho eval --json`: eval RUN KEY WORDS...
# null where the command says nothing of it
value() {
  run=$1 key=$2
  shift 2
  "$mho" eval "$run" --db "$db" --threads "$threads" --json "$@" | sed -n "s/.*\"$key\":\([-0-9.e+]*\).*/\1/p;t;s/.*/null/p"
}
# accuracy in %: acc RUN WORDS...
acc() {
  run=$1
  shift
  value "$run" accuracy "$@" | awk '{printf "%.2f\n", 100 * $1}'
}
final() {
  "$mho" query --db "$db" --csv "SELECT printf('%.2f', 100*final_test_acc) FROM run WHERE name = '$1' AND status = 'completed'" |
    sed -n 2p
}
train() { # NAME WORDS...
  name=$1
  shift
  run_once "$name" --threads "$threads" --set train.epochs=10 --set "network.hidden=[64,64]" --set feedback.scale=0.1 "$@" >&2 ||
    [ $? = 1 ] # one that diverges is looked at as it is
}
# mean and spread of the numbers it is given, a line each
stats() {
  awk '{n++; s += $1; q += $1 * $1} END {m = s / n; v = q - n * m * m; if (v < 0) v = 0
    printf("%.2f ± %.2f", m, n > 1 ? sqrt(v / (n - 1)) : 0)}'
}

ode="--set settle.method=ode --set settle.tolerance=1e-6"
map="--set settle.method=synchronous --set settle.tolerance=1e-6 --set settle.free=1000"
# how many images have not settled: late RUN WORDS...
late() {
  run=$1
  shift
  value "$run" unsettled "$@"
}
# a net as it is drawn: at this rate one image leaves the weights where they are. untrained NAME WORDS...
untrained() {
  name=$1
  shift
  run_once "$name" --threads "$threads" --set dataset.train=1 --set train.batch=1 --set train.epochs=1 --set update.rate=1e-12 \
    --set settle.method=synchronous --set settle.free=1 --set settle.nudged=1 "$@" >&2
}

# when so large a part of the images has settled, in tau: spread RUN WORDS... prints the median and 90 %
spread() {
  run=$1
  shift
  "$mho" settle "$run" --db "$db" --threads "$threads" --samples 360 "$@" 2>/dev/null | awk -F, 'NR > 1 && $2 == 1 {t[++n] = $3}
    END {asort_(n); print at(.5), at(.9)}
    function asort_(n,  i, j, x) {for (i = 2; i <= n; i++) {x = t[i]; for (j = i - 1; j && t[j] > x; j--) t[j + 1] = t[j]; t[j + 1] = x}}
    function at(part,  i) {i = part * 360; i = int(i) + (i > int(i)); return i <= n ? sprintf("%.1f", t[i] / 1e-7) : "–"}'
}

part_times() {
  echo "Settling of the free phase after training (digits, ten epochs of sweeps), tau 100 ns, tolerance 1e-6, 360 images: when"
  echo "half and 90 % of them have settled (a dash: not within 200 tau), mean of those that settle; steps: the synchronous map to"
  echo "the same tolerance, at most 1000."
  echo
  echo "| net | beta_i | half, tau | 90 %, tau | mean, tau | mean, us | unsettled | map, steps | map, unsettled |"
  echo "|---|---|---|---|---|---|---|---|---|"
  : >$out/times.dat
  ten=64,64,64,64,64,64,64,64,64,64
  for net in "1x64 layered [64]" "2x64 layered [64,64]" "3x64 layered [64,64,64]" "5x64 layered [64,64,64,64,64]" \
    "10x64 layered [$ten]" "10x64 residual [$ten]" "10x64 agt [$ten]" "3x64 asymmetric [64,64,64]"; do
    set -- $net
    shape="--set network.topology=$2"
    [ "$2" = asymmetric ] && shape="--set feedback.mode=asymmetric"
    [ "$2" = agt ] && shape="$shape --set feedback.mode=asymmetric"
    for beta in 0.001 0.01 0.1 0.25 1 4; do
      [ "${1%%x*}$beta" = 101 ] && continue # EP diverges there
      [ "${1%%x*}$beta" = 104 ] && continue
      [ "$2$beta" = asymmetric4 ] && continue
      [ "$1" = 1x64 ] && [ $beta != 0.1 ] && continue # nothing leads back: beta_i does not matter
      name="times $1 $2 $beta"
      train "$name" --set "network.hidden=$3" $shape --set feedback.scale=$beta
      line=$(value "$name" time_s $ode)
      missed=$(late "$name" $map)
      steps=$(value "$name" settle_steps $map)
      echo "$1-$2 $beta $line $(late "$name" $ode) $steps $missed $(spread "$name" $ode)" | tee -a $out/times.dat |
        awk '{t = $3 == "null" ? "–" : sprintf("%.1f", $3 / 1e-7); u = $3 == "null" ? "–" : sprintf("%.2f", $3 * 1e6)
          sub("-", " ", $1); printf "| %s | %s | %s | %s | %s | %s | %d | %.0f | %d |\n", $1, $2, $7, $8, t, u, $4, $5, $6}'
    done
  done
  gnuplot -d <<END
set terminal svg dynamic noenhanced size 720,440
set output '$out/times.svg'
set logscale xy
set grid y
set border 3
set tics nomirror
set xlabel 'beta_i'
set ylabel 'half of the images have settled (tau)'
set key outside right
set datafile missing '–'
plot for [net in "2x64-layered 3x64-layered 5x64-layered 10x64-layered 10x64-residual 10x64-agt 3x64-asymmetric"] \
  '< grep ^'.net.' $out/times.dat' using 2:7 with linespoints linewidth 2 title net
END
  rm $out/times.dat
  echo
  echo "The 3x64 chain at beta_i 0.1 on circuits that differ, not trained for them (mean of three chips; 360 images each):"
  echo
  echo "| spread | of tau: mean, tau | 90 %, tau | of gain | 90 % | of offset | 90 % | of all | 90 % | unsettled |"
  echo "|---|---|---|---|---|---|---|---|---|---|"
  net="times 3x64 layered 0.1"
  for s in 0 0.1 0.2 0.4; do
    row="| $s"
    all=0
    for what in tau gain offset "tau gain offset"; do
      v=""
      for w in $what; do v="$v --set neuron.variation.$w=$s"; done
      for chip in 1 2 3; do
        t=$(value "$net" time_s $ode $v --set train.seeds.chip=$chip)
        set -- $(spread "$net" $ode $v --set train.seeds.chip=$chip)
        all=$((all + $(late "$net" $ode $v --set train.seeds.chip=$chip)))
        echo "$t $2"
      done >$out/chips.dat
      row="$row $(awk '{s += $1 / 1e-7; q += $2} END {printf "| %.1f | %.1f", s / NR, q / NR}' $out/chips.dat)"
    done
    echo "$row | $all |"
  done
  rm $out/chips.dat
}

part_unsettled() {
  shape="--set network.hidden=[64,64,64] --set feedback.mode=asymmetric --set feedback.scale=4"
  echo "Asymmetric 3x64, beta_i 4, weights as they are drawn, seeds 1-20: images of the first 100 test images that have not"
  echo "settled in the circuit after 200 and 1000 tau, in the map after 1000 steps, tolerance 1e-6. Left out: seeds with 100, 100"
  echo "and 100."
  echo
  echo "| data | seed | circuit, 200 tau | 1000 tau | map |"
  echo "|---|---|---|---|---|"
  for data in digits mnist; do
    for seed in $(seq 1 20); do
      name="untrained $data $seed"
      untrained "$name" $shape --set dataset=$data --set dataset.test=100 --seed $seed
      a=$(late "$name" $ode) b=100
      [ "$a" = 100 ] && [ $seed != 1 ] || b=$(late "$name" $ode --set settle.limit=1000)
      line="$a $b $(late "$name" $map)"
      [ "$line" = "100 100 100" ] || echo "| $data | $seed | $(echo $line | sed 's/ / | /g') |"
    done
  done
  echo
  echo "The same net while it trains in the paper's mode (MNIST, T/K 30/15, Adam, batch 500): seeds 1-5, first 200 test images,"
  echo "unsettled in the circuit after 200 tau / in the map after 1000 steps; test %."
  echo
  echo "| epochs | seed 1 | 2 | 3 | 4 | 5 | all five, circuit | map | test % |"
  echo "|---|---|---|---|---|---|---|---|---|"
  for epochs in 0 1 2 3 4 6 10; do
    row="" circuit=0 steps=0 best=""
    for seed in 1 2 3 4 5; do
      name="asymmetric $epochs $seed"
      words="$shape --set dataset=mnist --set dataset.test=200 --seed $seed --threads $threads"
      if [ $epochs = 0 ]; then
        untrained "$name" $words
      else
        run_once "$name" $words --set train.batch=500 --set train.epochs=$epochs --set settle.method=synchronous --set settle.free=30 \
          --set settle.nudged=15 >&2
      fi
      a=$(late "$name" $ode) b=$(late "$name" $map)
      row="$row $a / $b |" circuit=$((circuit + a)) steps=$((steps + b))
      best="$best $(final "$name")"
    done
    echo "| $epochs |$row $((circuit / 10)).$((circuit % 10)) % | $((steps / 10)).$((steps % 10)) % | $(printf '%s\n' $best | stats) |"
  done
  echo
  echo "A chain with symmetric feedback, digits, 3x64, first 100 test images, as drawn and after ten epochs of the paper's mode:"
  echo "unsettled in the circuit after 2000 tau, in the map after 1000 and 20000 steps; the same with neurons whose offsets spread"
  echo "by 0.1 (chip 1). Seeds 1-3, a number each."
  echo
  echo "| epochs | beta_i | circuit | map, 1000 | map, 20000 | offsets: circuit | map, 1000 | map, 20000 |"
  echo "|---|---|---|---|---|---|---|---|"
  for epochs in 0 10; do
    for beta in 1 2 4; do
      row=""
      words="--set network.hidden=[64,64,64] --set feedback.scale=$beta --set dataset.test=100"
      for seed in 1 2 3; do
        name="symmetric $epochs $beta $seed"
        if [ $epochs = 0 ]; then
          untrained "$name" $words --seed $seed
        else
          run_once "$name" $words --seed $seed --threads "$threads" --set train.epochs=10 --set settle.method=synchronous \
            --set settle.free=30 --set settle.nudged=15 >&2
        fi
      done
      for v in 0 0.1; do
        for how in "$ode --set settle.limit=2000" "$map" "$map --set settle.free=20000"; do
          row="$row |"
          for seed in 1 2 3; do row="$row $(late "symmetric $epochs $beta $seed" $how --set neuron.variation.offset=$v)"; done
        done
      done
      echo "| $epochs | $beta$row |"
    done
  done
}

part_read() {
  echo "Read early (digits 64-64, beta_i 0.1, ten epochs, seeds $seeds, last epoch, test %). Both: free and nudged phase last that"
  echo "long in training, and so does the test. Nudged: the free state after 30 tau, the nudged one after that time. Test: the net"
  echo "of the first row, only read early in the test."
  echo
  echo "| read after, tau | both | both, centred | nudged | test |"
  echo "|---|---|---|---|---|"
  early="--set settle.method=ode --set settle.accuracy=1e-6"
  : >$out/read.dat
  for seed in $seeds; do
    train "read settled $seed" --set settle.method=ode --seed $seed
  done
  echo "| settled | $(for seed in $seeds; do final "read settled $seed"; done | stats) | | | |"
  for t in 0.5 1 2 3 5 8 12 20; do
    for seed in $seeds; do
      train "read $t $seed" $early --set settle.read_free=$t --set settle.read_nudged=$t --seed $seed
      train "read centred $t $seed" $early --set settle.read_free=$t --set settle.read_nudged=$t --set rule.phases=centred --seed $seed
      train "read nudged $t $seed" $early --set settle.read_free=30 --set settle.read_nudged=$t --seed $seed
    done
    both=$(for seed in $seeds; do final "read $t $seed"; done | stats)
    centred=$(for seed in $seeds; do final "read centred $t $seed"; done | stats)
    nudged=$(for seed in $seeds; do final "read nudged $t $seed"; done | stats)
    test=$(for seed in $seeds; do acc "read settled $seed" --set settle.read_free=$t --set settle.read_nudged=$t; done | stats)
    echo "| $t | $both | $centred | $nudged | $test |"
    echo "$t $both $centred $nudged $test" | tr -d '±' >>$out/read.dat
  done
  gnuplot -d <<END
set terminal svg dynamic noenhanced size 720,440
set output '$out/read.svg'
set logscale x
set grid y
set border 3
set tics nomirror
set xlabel 'read after (tau)'
set ylabel 'test accuracy (%)'
set key outside right
plot '$out/read.dat' using 1:2:3 with yerrorlines linewidth 2 title 'free and nudged', '' using 1:4:5 with yerrorlines linewidth 2 title 'the same, centred', \
  '' using 1:6:7 with yerrorlines linewidth 2 title 'only nudged', '' using 1:8:9 with yerrorlines linewidth 2 title 'only the test'
END
  rm $out/read.dat
}

part_read_mnist() {
  echo "MNIST, first 10000 images, 784-128-128-10, beta_i 0.01, batch 100, two epochs, seed 1, test % (10000 images): read"
  echo "after that time in both phases, or only the nudged state (free state: 20 tau)."
  echo
  echo "| read after, tau | both | nudged |"
  echo "|---|---|---|"
  net="--set dataset=mnist --set dataset.train=10000 --set train.batch=100 --set train.epochs=2 --set network.hidden=[128,128]
    --set feedback.scale=0.01 --set settle.method=ode --threads $threads"
  run_once "read mnist settled" $net --set settle.stepper=rk2 --set settle.tolerance=1e-2 --set settle.accuracy=5e-2 >&2
  echo "| settled | $(final "read mnist settled") | |"
  for t in 1 2 4 8 16; do
    run_once "read mnist $t" $net --set settle.accuracy=1e-5 --set settle.read_free=$t --set settle.read_nudged=$t >&2
    run_once "read mnist nudged $t" $net --set settle.accuracy=1e-5 --set settle.read_free=20 --set settle.read_nudged=$t >&2
    echo "| $t | $(final "read mnist $t") | $(final "read mnist nudged $t") |"
  done
}

part_noise() {
  echo "State noise (digits 64-64, beta_i 0.1, free 12 and nudged 8 tau, Euler-Maruyama with steps of 0.1 tau, ten epochs,"
  echo "last epoch, test %, seeds $seeds); the last two columns: the net trained without noise, noisy in the test only."
  echo
  echo "| noise of a potential | white, nudge 0.1 | white, nudge 1 | white, nudge 1, mean of 4 tau | 1/f, nudge 1 | 1/f, nudge 1, mean of 4 tau | white, test only | 1/f, test only |"
  echo "|---|---|---|---|---|---|---|---|"
  common="--set settle.method=ode --set settle.read_free=12 --set settle.read_nudged=8 --set settle.noise.step=0.1"
  : >$out/noise.dat
  for seed in $seeds; do
    train "noise 0 $seed" --set settle.method=ode --set settle.read_free=12 --set settle.read_nudged=8 --set settle.accuracy=1e-6 \
      --set rule.nudge=1 --seed $seed
  done
  echo "| none | | $(for seed in $seeds; do final "noise 0 $seed"; done | stats) | | | | | |"
  for s in ${LEVELS:-0.0001 0.001 0.01 0.1}; do
    row="" dat=$s
    for kind in "white 0.1 0" "white 1 0" "white 1 4" "flicker 1 0" "flicker 1 4"; do
      set -- $kind
      for seed in $seeds; do
        train "noise $kind $s $seed" $common --set settle.noise.$1=$s --set rule.nudge=$2 --set settle.average=$3 --seed $seed
      done
      cell=$(for seed in $seeds; do final "noise $kind $s $seed"; done | stats)
      row="$row | $cell" dat="$dat $cell"
    done
    for kind in white flicker; do
      cell=$(for seed in $seeds; do acc "noise 0 $seed" --set settle.noise.$kind=$s --set settle.noise.step=0.1; done | stats)
      row="$row | $cell" dat="$dat $cell"
    done
    echo "| $s$row |"
    echo "$dat" | tr -d '±' >>$out/noise.dat
  done
  gnuplot -d <<END
set terminal svg dynamic noenhanced size 720,440
set output '$out/noise.svg'
set logscale x
set grid y
set border 3
set tics nomirror
set xlabel 'standard deviation of a potential'
set ylabel 'test accuracy (%)'
set key outside right
plot '$out/noise.dat' using 1:2:3 with yerrorlines linewidth 2 title 'white, nudge 0.1', '' using 1:4:5 with yerrorlines linewidth 2 title 'white, nudge 1', \
  '' using 1:6:7 with yerrorlines linewidth 2 title 'white, mean of 4 tau', '' using 1:8:9 with yerrorlines linewidth 2 title '1/f, nudge 1', \
  '' using 1:10:11 with yerrorlines linewidth 2 title '1/f, mean of 4 tau', '' using 1:12:13 with yerrorlines linewidth 2 title 'white, test only', \
  '' using 1:14:15 with yerrorlines linewidth 2 title '1/f, test only'
END
  rm $out/noise.dat
}

part_mismatch() {
  echo "Mismatch of tau, gain and offset (digits 64-64, beta_i 0.1, ten epochs in continuous time, seeds $seeds, each another"
  echo "chip, last epoch, test %): learned in place, and the ideal net's weights put on the mismatched chip."
  echo
  echo "| spread | learned in place | ideal weights on it |"
  echo "|---|---|---|"
  for spread in 0 0.05 0.1 0.2 0.4; do
    v="--set neuron.variation.tau=$spread --set neuron.variation.gain=$spread --set neuron.variation.offset=$spread"
    for seed in $seeds; do
      train "mismatch $spread $seed" --set settle.method=ode $v --seed $seed
    done
    echo "| $spread | $(for seed in $seeds; do final "mismatch $spread $seed"; done | stats) | $(for seed in $seeds; do
      acc "mismatch 0 $seed" $v; done | stats) |"
  done
}

for part in $parts; do
  part_$part
  echo
done
"$mho" query --db "$db" --csv "SELECT DISTINCT 'mho ' || code_version || ' with ' || blas || ' kernels' AS line FROM run" |
  tail -n +2
