#!/bin/sh
# figures.sh - Liu & Chen's Figures 4 and 5: accuracy against beta_i, alpha and depth, and spectral radius, Lyapunov exponent
# and settling time against beta_i; prints the tables of FIGURES.md and draws the plots beside it.
# Usage: results/fre_rnn/figures.sh [SEEDS [EPOCHS [DB]]], for example "1 2 3" 20. Stopped at any time, it goes on where it
# was. About 45 minutes of one core a seed with 20 epochs.
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
  query "SELECT printf('%g', CAST(substr(name, length('$1 ') + 1) AS REAL)) AS x, printf('%.2f', 100*avg(best_test_acc)) FROM run
    WHERE name GLOB '$1 *$2 $epochs [0-9]*' AND status IN ('completed', 'diverged') GROUP BY x ORDER BY CAST(x AS REAL)"
}
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
for depth in 2 5 10; do accuracy "fig4 beta sweep $depth" "" >"$data/beta$depth"; done
accuracy "fig4 beta paper 5" "" >"$data/beta_paper"
accuracy "fig4 alpha sweep 5" "" >"$data/alpha"
for what in chain bp residual; do accuracy "fig4 depth sweep" " $what" >"$data/depth_$what"; done
accuracy "fig4 depth paper" " chain" >"$data/depth_paper"
query "SELECT printf('%g', r.feedback_scale) AS beta, printf('%.2f', avg(s.spectral_radius)), printf('%.2f', avg(s.lyapunov)),
    printf('%.1f', avg(s.steps_mean)), printf('%.0f', avg(s.unsettled))
  FROM run AS r JOIN settle AS s ON s.run_id = r.id AND s.epoch = r.epochs_done
  WHERE r.name GLOB 'fig5 * $epochs [0-9]*' AND s.phase = 'free' GROUP BY beta ORDER BY r.feedback_scale" >"$data/observables"

# what the paper shows: beta_i and the accuracy of 5 layers after 50 epochs (Figure 4), spectral radius, exponent and settling of
# 3 x 64 (Figure 5, read off: within 10 %)
cat <<END >"$data/paper4"
0.001 93.54
0.01 95.54
0.1 97.60
0.25 90.63
1 25.3
END
cat <<END >"$data/paper5"
0.001 0.2 -2.1 11
0.01 0.6 -1.1 16
0.1 2.2 -0.45 36
0.25 2.6 -0.28 53
1 4.3 -0.2 70
2 5.5 -0.55 38
4 5.9 -1.25 19
END

gnuplot <<END
set terminal svg size 1100,420 dynamic noenhanced font "sans,13" background "white"
set output "$here/figure4.svg"
set multiplot layout 1,3
set ylabel "best test accuracy, %"
set key bottom left
set grid
set logscale x
set xlabel "beta_i"
set title "$epochs epochs, width 64"
plot [0.0005:2][20:100] "$data/beta2" with linespoints title "2 layers", "$data/beta5" with linespoints title "5 layers", \
  "$data/beta10" with linespoints title "10 layers", "$data/beta_paper" with linespoints dashtype 2 title "5, paper's mode", \
  "$data/paper4" with points pointtype 6 title "5, paper, 50 epochs"
unset logscale x
set xlabel "alpha"
set title "5 layers, beta_i .1"
plot [0:1.75][*:98] "$data/alpha" with linespoints notitle
set xlabel "hidden layers"
set title "depth"
set key center right
plot [0:31][90:98.5] "$data/depth_chain" with linespoints title "chain", \
  "$data/depth_residual" with linespoints title "residual", \
  "$data/depth_bp" with linespoints title "backpropagation", \
  "$data/depth_paper" with linespoints dashtype 2 title "chain, paper's mode"
unset multiplot
set terminal svg size 1100,380 dynamic noenhanced font "sans,13" background "white"
set output "$here/figure5.svg"
set multiplot layout 1,3
set logscale x
set xlabel "beta_i"
unset ylabel
set key top left
set title "spectral radius"
plot [0.0005:8] "$data/observables" using 1:2 with linespoints title "mho, $epochs epochs", \
  "$data/paper5" using 1:2 with points pointtype 6 title "paper"
unset key
set title "Lyapunov exponent, 1/step"
plot [0.0005:8] "$data/observables" using 1:3 with linespoints title "mho, $epochs epochs", \
  "$data/paper5" using 1:3 with points pointtype 6 title "paper"
set title "settling time, steps"
plot [0.0005:8] "$data/observables" using 1:4 with linespoints title "mho, $epochs epochs", \
  "$data/paper5" using 1:4 with points pointtype 6 title "paper"
unset multiplot
END

table() { # table HEADER FILE...: the first words of the files' lines, and behind each the rest of its line in every file
  echo "| $1 |"
  echo "| $1 |" | sed 's/[^|]\+/---/g'
  shift
  awk 'FNR == 1 { f++ } { if (!($1 in seen)) { seen[$1]; x[++n] = $1 } at[$1, f] = substr($0, length($1) + 2) }
    END { for (i = 1; i <= n; i++) { line = "| " x[i]; for (k = 1; k <= f; k++) { v = at[x[i], k]
      gsub(" ", " | ", v); line = line " | " (v == "" ? "–" : v) } print line " |" } }' "$@"
  echo
}
table "beta_i | 2 layers | 5 layers | 10 layers | 5 layers, paper's mode" "$data"/beta2 "$data"/beta5 "$data"/beta10 \
  "$data"/beta_paper
table "alpha | test %, 5 layers" "$data/alpha"
table "hidden layers | chain | residual | backpropagation | chain, paper's mode" "$data"/depth_chain "$data"/depth_residual \
  "$data"/depth_bp "$data"/depth_paper
table "beta_i | spectral radius | Lyapunov exponent | settling, steps | samples that do not settle" "$data/observables"
"$mho" query --db "$db" --csv "SELECT DISTINCT 'mho ' || code_version || ' with ' || blas || ' kernels' AS line FROM run
  WHERE name LIKE 'fig%'" | tail -n +2
