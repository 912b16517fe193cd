#!/bin/sh
# run.sh - the floating-point reference on MNIST, in the paper's synchronous mode, three seeds each, against
# backpropagation of the same nets; prints the tables of README.md. Stopped at any time, it goes on where it was.
# About 20 minutes on two cores.
set -eu
cd "$(dirname "$0")/../.."
mho=build/mho
db=${1:-results/reference.db}
. results/run_once.sh
take_in results/reference/runs*.jsonl.gz
for seed in 1 2 3; do
  run_once "2x512 EP $seed" examples/mnist.yaml --seed $seed
  run_once "2x512 BP $seed" examples/mnist.yaml --set rule=bp --seed $seed
  run_once "5x64 EP $seed" examples/mnist_deep.yaml --seed $seed
  run_once "5x64 BP $seed" examples/mnist_deep.yaml --set rule=bp --seed $seed
done >&2
echo "Test accuracy, %, mean ± standard deviation over seeds:"
echo
echo "| net | rule | best epoch | last epoch | seeds |"
echo "|---|---|---|---|---|"
$mho query --db "$db" --csv "SELECT '| ' || substr(name, 1, instr(name, ' ') - 1) || ' | ' || upper(rule) || ' | ' ||
  printf('%.2f ± %.2f', 100*avg(best_test_acc), 100*sqrt((avg(best_test_acc*best_test_acc) -
    avg(best_test_acc)*avg(best_test_acc)) * count(*) / (count(*) - 1))) || ' | ' ||
  printf('%.2f ± %.2f', 100*avg(final_test_acc), 100*sqrt((avg(final_test_acc*final_test_acc) -
    avg(final_test_acc)*avg(final_test_acc)) * count(*) / (count(*) - 1))) || ' | ' ||
  count(*) || ' |' AS line FROM v_run
  WHERE status = 'completed' GROUP BY hidden, rule ORDER BY hidden DESC, rule DESC" | tail -n +2
echo
echo "The first epochs, mean of the seeds (the paper's in brackets):"
echo
echo "| net | 1 | 2 | 3 | 4 | 5 |"
echo "|---|---|---|---|---|---|"
for net in 2x512 5x64; do
  case $net in
  2x512) paper="93.55 95.32 96.40 96.84 97.27" ;;
  5x64) paper="92.53 94.37 95.44 95.84 96.21" ;;
  esac
  line="| $net EP"
  epoch=1
  for p in $paper; do
    mean=$($mho query --db "$db" --csv "SELECT printf('%.2f', 100*avg(test_acc)) FROM epoch JOIN run ON run_id = id
      WHERE name LIKE '$net EP%' AND epoch = $epoch" | tail -n 1)
    line="$line | $mean ($p)"
    epoch=$((epoch + 1))
  done
  echo "$line |"
done
echo
$mho query --db "$db" --csv "SELECT DISTINCT 'mho ' || code_version || ' with ' || blas || ' kernels' AS line FROM run" | tail -n +2
