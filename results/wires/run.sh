#!/bin/sh
# Wire resistance and the accuracy of EP: nets of 2 x N hidden neurons on the 8x8 digits, arrays in one piece or in tiles of
# 32 x 32, trained without wires and read with them, and trained with them. Writes wires.csv here.
# Usage: results/wires/run.sh   (MHO: the program, default build/mho; about a minute on one core)
set -eu
cd "$(dirname "$0")/../.."
mho=${MHO:-build/mho}
here=results/wires
db=${DB:-$here/wires.db}
csv=$here/wires.csv
epochs=20
common="--db $db --threads 1 --set train.epochs=$epochs --set update.rate=2e-3 --set device=linear --json"
last() { sed -n 's/.*"final_test_acc":\([0-9.]*\).*/\1/p' | tail -n 1; }
accuracy() { sed -n 's/.*"accuracy":\([0-9.]*\).*/\1/p'; }
echo "hidden,tile,ohm,seed,without,added,trained" >"$csv"
for seed in ${SEEDS:-1}; do
  for hidden in ${HIDDEN:-32 64}; do
    $mho train $common --seed "$seed" --name "plain-$hidden-$seed" --set "network.hidden=[$hidden,$hidden]" >/dev/null
    without=$($mho eval "plain-$hidden-$seed" --db "$db" --json | accuracy)
    for tile in 1024 32; do
      for ohm in 1 5 20; do
        wires="--set array.wire.tile=$tile --set array.wire.tolerance=1e-4 --set array.wire.r_word=$ohm --set array.wire.r_bit=$ohm"
        wires=$(echo "$wires" | sed "s/r_word=$ohm/r_word=${ohm}ohm/; s/r_bit=$ohm/r_bit=${ohm}ohm/")
        added=$($mho eval "plain-$hidden-$seed" --db "$db" --json $wires | accuracy)
        trained=$($mho train $common --seed "$seed" --name "wires-$hidden-$tile-$ohm-$seed" \
          --set "network.hidden=[$hidden,$hidden]" $wires | last)
        echo "$hidden,$tile,$ohm,$seed,$without,$added,$trained" >>"$csv"
      done
    done
  done
done
