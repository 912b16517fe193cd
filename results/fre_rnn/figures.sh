#!/bin/sh
# figures.sh - Liu & Chen's Figures 4 and 5: accuracy against beta_i, alpha and depth, and spectral radius, Lyapunov exponent
# and settling time against beta_i; prints the tables of FIGURES.md and draws the plots beside it.
# Usage: results/fre_rnn/figures.sh [SEEDS [EPOCHS [DB]]], for example "1 2 3" 20. Stopped at any time, it goes on where it
# was. About half an hour a seed with 20 epochs on two cores.
set -eu
cd "$(dirname "$0")/../.."
mho=build/mho
here=results/fre_rnn
seeds=${1:-1}
epochs=${2:-20}
db=${3:-results/fre_rnn.db}
. results/run_once.sh
take_in results/fre_rnn/runs*.jsonl.gz

# layers N WIDTH -> "[WIDTH,WIDTH,...]"
layers() {
  awk -v n="$1" -v w="$2" 'BEGIN { for (i = 1; i <= n; i++) s = s (i > 1 ? "," : "") w; print "[" s "]" }'
}

betas="0.001 0.01 0.1 0.25 1"
alphas="0.25 0.5 0.75 1 1.25 1.5"

# one NAME LAYERS WIDTH TRAIN-WORDS...
one() {
  title=$1
  size=$(layers "$2" "$3")
  shift 3
  for seed in $seeds; do
    run_once "$title $epochs $seed" --set dataset=mnist --set "network.hidden=$size" --set train.batch=500 \
      --set train.epochs="$epochs" --seed "$seed" "$@" </dev/null
  done
}

# the paper's mode: synchronous steps, T = 10 and K = 5 a layer
paper() {
  echo "--set settle.method=synchronous --set settle.free=$((10 * $1)) --set settle.nudged=$((5 * $1))"
}

{
  for beta in $betas; do
    for depth in 2 5 10; do
      one "fig4 beta sweep $depth $beta" $depth 64 --set feedback.scale="$beta"
    done
    # shellcheck disable=SC2046
    one "fig4 beta paper 5 $beta" 5 64 --set feedback.scale="$beta" $(paper 5)
  done
  for alpha in $alphas; do
    one "fig4 alpha sweep 5 $alpha" 5 64 --set feedback.scale=0.1 --set network.forward_scale="$alpha"
  done
  for depth in 1 2 3 5 7 10 15 20 30; do
    one "fig4 depth sweep $depth chain" $depth 64
    one "fig4 depth sweep $depth bp" $depth 64 --set rule=bp
    one "fig4 depth sweep $depth residual" $depth 64 --set network.topology=residual --set feedback.per=layer
  done
  for depth in 1 2 3 5 7 10; do
    # shellcheck disable=SC2046
    one "fig4 depth paper $depth chain" $depth 64 --set feedback.scale=0.1 $(paper $depth)
  done
  for beta in 0.001 0.01 0.1 0.25 1 2 4; do
    # shellcheck disable=SC2046
    one "fig5 $beta" 3 64 --set feedback.scale="$beta" $(paper 3) --set observe.spectral_radius=true \
      --set observe.lyapunov=true --set observe.settling=true
  done
} >&2

query() {
  "$mho" query --db "$db" --csv "$1" </dev/null | tail -n +2 | tr ',' ' '
}
# accuracy PREFIX SUFFIX -> "x mean" lines: the word between them, and the mean best accuracy in %
accuracy() {
  query "SELECT CAST(substr(name, length('$1 ') + 1) AS REAL) AS x, printf('%.2f', 100*avg(best_test_acc)) FROM run
    WHERE name GLOB '$1 *$2 $epochs [0-9]*' AND status IN ('completed', 'diverged') GROUP BY x ORDER BY x"
}
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
for depth in 2 5 10; do accuracy "fig4 beta sweep $depth" "" >"$data/beta$depth"; done
accuracy "fig4 beta paper 5" "" >"$data/beta_paper"
accuracy "fig4 alpha sweep 5" "" >"$data/alpha"
for what in chain bp residual; do accuracy "fig4 depth sweep" " $what" >"$data/depth_$what"; done
accuracy "fig4 depth paper" " chain" >"$data/depth_paper"
query "SELECT r.feedback_scale AS beta, printf('%.2f', avg(s.spectral_radius)), printf('%.2f', avg(s.lyapunov)),
    printf('%.1f', avg(s.steps_mean)), printf('%.0f', avg(s.unsettled))
  FROM run AS r JOIN settle AS s ON s.run_id = r.id AND s.epoch = r.epochs_done
  WHERE r.name GLOB 'fig5 * $epochs [0-9]*' AND s.phase = 'free' GROUP BY beta ORDER BY beta" >"$data/observables"

gnuplot <<END
set terminal svg size 1100,420 dynamic font "sans,13" background "white"
set output "$here/figure4.svg"
set multiplot layout 1,3
set ylabel "best test accuracy, %"
set key bottom left
set grid
set logscale x
set xlabel "beta_i"
set title "$epochs epochs, width 64"
plot [0.0005:2][20:100] "$data/beta2" with linespoints title "2 layers", "$data/beta5" with linespoints title "5 layers", \
  "$data/beta10" with linespoints title "10 layers", "$data/beta_paper" with linespoints dashtype 2 title "5, paper's mode"
unset logscale x
set xlabel "alpha"
set title "5 layers, beta_i .1"
plot [0:1.75][*:98] "$data/alpha" with linespoints notitle
set xlabel "hidden layers"
set title "depth"
plot [0:31][92:98.5] "$data/depth_chain" with linespoints title "chain, beta_i .01", \
  "$data/depth_residual" with linespoints title "residual, beta_i a layer", \
  "$data/depth_bp" with linespoints title "backpropagation", \
  "$data/depth_paper" with linespoints dashtype 2 title "chain, paper's mode, beta_i .1"
unset multiplot
set terminal svg size 1100,380 dynamic font "sans,13" background "white"
set output "$here/figure5.svg"
set multiplot layout 1,3
set logscale x
set xlabel "beta_i"
unset ylabel
set title "spectral radius"
plot [0.0005:8] "$data/observables" using 1:2 with linespoints notitle
set title "Lyapunov exponent, 1/step"
plot [0.0005:8] "$data/observables" using 1:3 with linespoints notitle
set title "settling time, steps"
plot [0.0005:8] "$data/observables" using 1:4 with linespoints notitle
unset multiplot
END

table() { # table HEADER FILE
  echo "| $1 |"
  echo "| $1 |" | sed 's/[^|]\+/---/g'
  sed 's/ / | /g; s/^/| /; s/$/ |/' "$2"
  echo
}
for depth in 2 5 10; do table "beta_i | test %, $depth layers" "$data/beta$depth"; done
table "beta_i | test %, 5 layers, paper's mode" "$data/beta_paper"
table "alpha | test %, 5 layers" "$data/alpha"
for what in chain residual bp; do table "hidden layers | test %, $what" "$data/depth_$what"; done
table "hidden layers | test %, chain, paper's mode" "$data/depth_paper"
table "beta_i | spectral radius | Lyapunov exponent | settling, steps | samples that do not settle" "$data/observables"
"$mho" query --db "$db" --csv "SELECT DISTINCT 'mho ' || code_version || ' with ' || blas || ' kernels' AS line FROM run" | tail -n +2
