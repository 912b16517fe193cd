#!/bin/sh
# run.sh - settling in physical time, and what reading early, noise and mismatch cost; prints the tables of README.md and
# writes the plots beside it. Stopped at any time, it goes on where it was. About 5 minutes of one core.
# Usage: results/dynamics/run.sh [PART...], of: times unsettled read noise mismatch; DB=file, THREADS=n in the environment.
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
db=${DB:-results/dynamics.db}
threads=${THREADS:-1}
out=results/dynamics
parts=${*:-times unsettled read noise mismatch}
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
# mean and spread over the three seeds of what a command prints: over SEEDS CMD...
stats() {
  awk '{n++; s += $1; q += $1 * $1} END {m = s / n; v = q - n * m * m; if (v < 0) v = 0
    printf("%.2f ± %.2f", m, sqrt(v / (n - 1)))}'
}

ode="--set settle.method=ode --set settle.tolerance=1e-6 --set settle.free=0 --set settle.nudged=0"

part_times() {
  echo "Settling of the free phase after training (digits, ten epochs of sweeps), tau 100 ns, tolerance 1e-6, 360 images;"
  echo "unsettled after 200 tau; steps: the synchronous map to the same tolerance, at most 1000. A dash: none settles."
  echo
  echo "| net | beta_i | time, tau | time, us | unsettled | map, steps | map, unsettled |"
  echo "|---|---|---|---|---|---|---|"
  : >$out/times.dat
  for net in "2x64 layered [64,64]" "3x64 layered [64,64,64]" "5x64 layered [64,64,64,64,64]" \
    "10x64 layered [64,64,64,64,64,64,64,64,64,64]" "10x64 residual [64,64,64,64,64,64,64,64,64,64]"; do
    set -- $net
    for beta in 0.001 0.01 0.1 0.25 1 4; do
      name="times $1 $2 $beta"
      train "$name" --set "network.hidden=$3" --set network.topology=$2 --set feedback.scale=$beta
      line=$(value "$name" time_s $ode)
      late=$(value "$name" unsettled $ode)
      map="--set settle.method=synchronous --set settle.free=1000 --set settle.tolerance=1e-6"
      steps=$(value "$name" settle_steps $map)
      missed=$(value "$name" unsettled $map)
      echo "$1-$2 $beta $line $late $steps $missed" >>$out/times.dat
      echo "$1 $2 $beta $line $late $steps $missed" |
        awk '{t = $4 == "null" ? "–" : sprintf("%.1f", $4 / 1e-7); u = $4 == "null" ? "–" : sprintf("%.2f", $4 * 1e6);
          printf "| %s %s | %s | %s | %s | %d | %.0f | %d |\n", $1, $2, $3, t, u, $5, $6, $7}'
    done
  done
  echo
  echo "Mismatch of the same 3x64 net at beta_i 0.1 (read on the mismatched circuit, not trained for it):"
  echo
  echo "| spread of tau, gain, offset | time, tau | slowest of 3 chips |"
  echo "|---|---|---|"
  for spread in 0 0.1 0.2 0.4; do
    for chip in 1 2 3; do
      value "times 3x64 layered 0.1" time_s $ode --set neuron.variation.tau=$spread --set neuron.variation.gain=$spread \
        --set neuron.variation.offset=$spread --set train.seeds.chip=$chip
    done | awk -v s=$spread '{t = $1 / 1e-7; n++; sum += t; m = t > m ? t : m} END {printf "| %s | %.1f | %.1f |\n", s, sum / n, m}'
  done
  gnuplot -d <<END
set terminal svg dynamic noenhanced size 720,440
set output '$out/times.svg'
set logscale x
set grid y
set xlabel 'beta_i'
set ylabel 'settling time (tau)'
set key outside right
plot for [net in "2x64-layered 3x64-layered 5x64-layered 10x64-layered 10x64-residual"] \
  '< grep ^'.net.' $out/times.dat | grep -v null' using 2:(\$3/1e-7) with linespoints title net
END
  rm $out/times.dat
}

part_unsettled() {
  echo "Nets that do not settle: 3x64 on MNIST, trained in the paper's mode (T/K 30/15, one epoch), first 500 test images;"
  echo "unsettled in the circuit after 200 tau and in the map after 1000 steps, tolerance 1e-6."
  echo
  echo "| feedback | beta_i | test % | circuit, unsettled | map, unsettled |"
  echo "|---|---|---|---|---|"
  for mode in symmetric asymmetric; do
    for beta in 1 2 4; do
      name="unsettled $mode $beta"
      run_once "$name" --threads "$threads" --set dataset=mnist --set dataset.test=500 --set train.epochs=1 --set train.batch=500 \
        --set "network.hidden=[64,64,64]" --set feedback.mode=$mode --set feedback.scale=$beta --set settle.method=synchronous \
        --set settle.free=30 --set settle.nudged=15 >&2
      echo "| $mode | $beta | $(final "$name") | $(value "$name" unsettled $ode) of 500 | $(value "$name" unsettled \
        --set settle.method=synchronous --set settle.free=1000 --set settle.tolerance=1e-6) of 500 |"
    done
  done
}

part_read() {
  echo "Read after a fixed time, free and nudged alike, in training and in the test (digits 64-64, beta_i 0.1, ten epochs,"
  echo "seeds 1-3, last epoch); right: the settled net of the first row, only read early in the test."
  echo
  echo "| read time, tau | test % | settled net read then, test % |"
  echo "|---|---|---|"
  : >$out/read.dat
  for seed in 1 2 3; do
    train "read settled $seed" --set settle.method=ode --seed $seed
  done
  echo "| settled | $(for seed in 1 2 3; do final "read settled $seed"; done | stats) | |"
  for t in 0.5 1 2 3 5 8 12 20; do
    for seed in 1 2 3; do
      train "read $t $seed" --set settle.method=ode --set settle.accuracy=1e-6 --set settle.free=$t --set settle.nudged=$t --seed $seed
    done
    line=$(for seed in 1 2 3; do final "read $t $seed"; done | stats)
    early=$(for seed in 1 2 3; do acc "read settled $seed" --set settle.free=$t --set settle.nudged=$t; done | stats)
    echo "| $t | $line | $early |"
    echo "$t $line $early" | tr -d '±' >>$out/read.dat
  done
  gnuplot -d <<END
set terminal svg dynamic noenhanced size 640,400
set output '$out/read.svg'
set logscale x
set grid y
set xlabel 'read time (tau)'
set ylabel 'test accuracy (%)'
set key bottom right
plot '$out/read.dat' using 1:2:3 with yerrorlines title 'trained and read then', '' using 1:4:5 with yerrorlines title 'trained settled, read then'
END
  rm $out/read.dat
}

part_noise() {
  echo "State noise (digits 64-64, beta_i 0.1, nudge 0.1 and 1, free 12 and nudged 8 tau, Euler-Maruyama with steps of 0.05"
  echo "tau, ten epochs, seed 1, last epoch, test %):"
  echo
  echo "| noise of a potential | white, nudge 0.1 | white, nudge 1 | white, nudge 1, mean of 4 tau | 1/f, nudge 1 |"
  echo "|---|---|---|---|---|"
  for s in 0.0001 0.001 0.01 0.1; do
    common="--set settle.method=ode --set settle.free=12 --set settle.nudged=8 --set settle.noise.step=0.05"
    train "noise white $s .1" $common --set settle.noise.white=$s
    train "noise white $s 1" $common --set settle.noise.white=$s --set rule.nudge=1
    train "noise mean $s 1" $common --set settle.noise.white=$s --set rule.nudge=1 --set settle.noise.average=4
    train "noise flicker $s 1" $common --set settle.noise.flicker=$s --set rule.nudge=1
    echo "| $s | $(final "noise white $s .1") | $(final "noise white $s 1") | $(final "noise mean $s 1") | $(final "noise flicker $s 1") |"
  done
}

part_mismatch() {
  echo "Mismatch of tau, gain and offset (digits 64-64, beta_i 0.1, ten epochs in continuous time, seeds 1-3, each another"
  echo "chip, last epoch, test %): learned in place, and the ideal net's weights put on the mismatched chip."
  echo
  echo "| spread | learned in place | ideal weights on it |"
  echo "|---|---|---|"
  for spread in 0 0.05 0.1 0.2 0.4; do
    v="--set neuron.variation.tau=$spread --set neuron.variation.gain=$spread --set neuron.variation.offset=$spread"
    for seed in 1 2 3; do
      train "mismatch $spread $seed" --set settle.method=ode $v --seed $seed
    done
    echo "| $spread | $(for seed in 1 2 3; do final "mismatch $spread $seed"; done | stats) | $(for seed in 1 2 3; do
      acc "mismatch 0 $seed" $v; done | stats) |"
  done
}

for part in $parts; do
  part_$part
  echo
done
"$mho" query --db "$db" --csv "SELECT DISTINCT 'mho ' || code_version || ' with ' || blas || ' kernels' AS line FROM run" |
  tail -n +2
