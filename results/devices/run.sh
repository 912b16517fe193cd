#!/bin/sh
# run.sh - EP on four device models and three programming schemes, MNIST 784-128-128-10, 5 epochs, seed 1; prints the
# table of README.md. Stopped at any time, it goes on where it was. About 10 minutes on two cores.
set -eu
cd "$(dirname "$0")/../.."
mho=build/mho
db=${1:-results/devices.db}
. results/run_once.sh
take_in results/devices/runs*.jsonl.gz
real="--set device.variation.step=0.3 --set device.stuck_off=0.005 --set device.stuck_on=0.005 --set array.read_noise=0.0003"
for scheme in exact pulses accumulate; do
  for device in ideal linear soft_bounds nl_pulse; do
    if [ $device = ideal ] && [ $scheme != exact ]; then
      continue # it knows no pulses
    fi
    case $device in
    nl_pulse) shape="--set device.nl_up=2.4 --set device.nl_down=-4.88" noise="--set device.pulse_noise=0.0006" ;;
    ideal) shape="" noise="" ;;
    *) shape="" noise="--set device.cycle_to_cycle=0.3" ;;
    esac
    words="examples/mnist_device.yaml --set device=$device --set update.scheme=$scheme"
    run_once "clean $device $scheme" $words $shape
    [ $device = ideal ] || run_once "real $device $scheme" $words $shape $noise $real
  done
done >&2
echo "| device | exact | pulses | accumulate | exact, real | pulses, real | accumulate, real |"
echo "|---|---|---|---|---|---|---|"
for device in ideal linear soft_bounds nl_pulse; do
  line="| $device"
  for kind in clean real; do
    for scheme in exact pulses accumulate; do
      acc=$($mho query --db "$db" --csv "SELECT printf('%.2f', 100*final_test_acc) FROM run
        WHERE name = '$kind $device $scheme' AND status = 'completed'" | sed -n 2p)
      line="$line | ${acc:-–}"
    done
  done
  echo "$line |"
done
echo
$mho query --db "$db" --csv "SELECT DISTINCT 'mho ' || code_version || ' with ' || blas || ' kernels' AS line FROM run" | tail -n +2
