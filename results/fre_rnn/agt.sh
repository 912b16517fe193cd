#!/bin/sh
# agt.sh - arbitrary graphs on the ten that the published program's notebook Layered_L10_AGT prints (github.com/Zero0Hero/FRE-RNN-EP),
# in the paper's mode with the growing nudge: 1-5 on CIFAR-10, 6-10 on MNIST. Prints README.md's tables.
# Usage: results/fre_rnn/agt.sh [GRAPHS [DB]], for example: "1 2 3". A graph takes about 20 minutes of one core.
set -eu
cd "$(dirname "$0")/../.."
mho=build/mho
graphs=${1:-1 2 3 4 5 6 7 8 9 10}
db=${2:-results/fre_rnn.db}
. results/run_once.sh
take_in results/fre_rnn/runs_paper.jsonl.gz

# links N: a line a graph
links() {
  sed -n "$1p" <<'END'
x>1 1-2 1>5 1>9 2-3 3>1 3-4 4>1 4-5 4>8 4>10 5>3 5-6 5>7 6-7 7-8 8>5 8-9 8>10 9>2 9>7 9-10 10>5 10-out
x>1 1-2 1>6 1>7 1-10 2-3 2-5 2>6 2>10 3-4 3>8 3>10 4-5 4>7 4>9 5-6 5>9 6-7 7>3 7>5 7-8 8>1 8-9 9>1 9>7 9-10 10-out
x>1 1-2 1>4 1>5 2-3 2>5 2>9 3-4 3-6 3>7 3>8 4-5 5-6 5-7 5>10 6-7 6>9 7>2 7>4 7-8 8>5 8>6 8-9 9-10 10>8 10-out
x>1 1-2 1>8 2-3 2-5 3>1 3-4 3>5 3>9 4-5 4>8 5-6 5>8 6-7 6>10 7-8 8-9 9>4 9>6 9-10 10-out
x>1 1-2 1>3 1>4 2-3 2>8 3-4 3>10 4-5 4>6 4>8 5-6 5>7 6>3 6-7 6-10 7>4 7-8 7>9 8>1 8>6 8-9 9>3 9-10 10>7 10-out
x>1 1-2 2-3 2>4 2>8 2>9 3-4 3>6 4-5 5-6 5>9 6-7 7>1 7>2 7-8 8>5 8>6 8-9 9>7 9-10 10-out
x>1 1-2 1>7 2-3 2>8 3>1 3-4 4-5 4>9 5-6 6>1 6-7 6>9 7>5 7-8 8-9 9>1 9>2 9>5 9-10 10-out
x>1 1-2 1-7 1>9 2-3 2>4 2>7 3-4 3>8 4-5 4>7 4>8 4>9 5>3 5-6 5>8 6-7 7-8 8-9 9>3 9>5 9>7 9-10 10>2 10>5 10-out
x>1 1-2 1-9 2-3 2>6 3-4 3>5 4-5 4>6 4-7 4>8 4>9 5>1 5-6 6-7 7>5 7-8 7>10 8-9 9-10 10-out
x>1 1-2 1-3 2-3 3-4 3>8 4>1 4-5 4>10 5>3 5-6 6-7 6>9 7>3 7-8 7>10 8-9 9>1 9>7 9-10 10>2 10-out
END
}

for graph in $graphs; do
  case $graph in
  [1-5]) set -- cifar10 50 2e-4 ;;
  [6-9] | 10) set -- mnist 50 1e-3 ;;
  *)
    echo "agt.sh: graph '$graph': there are 1 to 10" >&2
    exit 2
    ;;
  esac
  run_once "paper $1 AGT graph $graph" --set dataset="$1" --set 'network.hidden=[64,64,64,64,64,64,64,64,64,64]' --seed 1 \
    --set network.topology=graph --set network.links="$(links "$graph")" --set feedback.mode=asymmetric --set feedback.scale=0.1 \
    --set settle.method=synchronous --set settle.free=100 --set settle.nudged=50 --set settle.nudge_course=growing \
    --set rule.readout=nudged --set train.batch=500 --set train.epochs="$2" --set update.rate="$3" </dev/null
done >&2

for pair in "cifar10:1 2 3 4 5" "mnist:6 7 8 9 10"; do
  dataset=${pair%:*}
  echo "| $dataset, graph | best epoch | last epoch |"
  echo "|---|---|---|"
  for graph in ${pair#*:}; do
    "$mho" query --db "$db" --csv "SELECT printf('| $graph | %.2f | %.2f |', 100*best_test_acc, 100*final_test_acc) AS line FROM run
      WHERE name = 'paper $dataset AGT graph $graph' AND status = 'completed'" </dev/null | tail -n +2
  done
  echo
done
echo "MNIST, mean of the graphs there are, test % after each of the first ten epochs:"
"$mho" query --db "$db" --csv "SELECT group_concat(printf('%.2f', 100*mean), ' ') AS line FROM (SELECT avg(test_acc) AS mean FROM epoch
  JOIN run ON run.id = run_id WHERE name GLOB 'paper mnist AGT graph *' AND status = 'completed' AND epoch <= 10 GROUP BY epoch
  ORDER BY epoch)" | tail -n +2
