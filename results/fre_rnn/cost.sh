#!/bin/sh
# cost.sh - seconds and memory of an epoch against depth and width: prints the tables of README.md, draws cost.svg beside it.
# Usage: results/fre_rnn/cost.sh, after `ninja -C build tests/bench_scaling`, on an idle machine; two minutes.
set -eu
cd "$(dirname "$0")/../.."
here=results/fre_rnn
[ -x build/tests/bench_scaling ] || {
  echo "cost.sh: build/tests/bench_scaling is not there: run ninja -C build tests/bench_scaling" >&2
  exit 2
}
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
build/tests/bench_scaling | tee "$data/all" >&2
# layers, width, s/epoch, ns, MB; the first group varies the depth, the second the width
awk '$2 == "x" { print $1, $3, $4, $6, $(NF - 1) }' "$data/all" >"$data/rows"
awk '!($1 == 2 && n++ > 0) && $2 == 64' "$data/rows" >"$data/depth"
awk '$1 == 2 && !($2 == 64 && n++ == 0)' "$data/rows" >"$data/width"

gnuplot <<END
set terminal svg size 1000,400 dynamic font "sans,13" background "white"
set output "$here/cost.svg"
set multiplot layout 1,2
set grid
set key top left
set xlabel "hidden layers of 64"
set ylabel "s/epoch"
set y2label "MB"
set ytics nomirror
set y2tics
set yrange [0:*]
set y2range [0:*]
plot "$data/depth" using 1:3 with linespoints title "time", "" using 1:5 axes x1y2 with linespoints dashtype 2 title "memory"
set xlabel "width of two hidden layers"
set logscale xyy2
set yrange [*:*]
set y2range [*:*]
plot "$data/width" using 2:3 with linespoints title "time", "" using 2:5 axes x1y2 with linespoints dashtype 2 title "memory"
unset multiplot
END
for group in depth width; do
  echo "| net | s/epoch | ns a weight and batch | MB |"
  echo "|---|---|---|---|"
  awk '{ printf "| %d x %d | %s | %s | %s |\n", $1, $2, $3, $4, $5 }' "$data/$group"
  echo
done
