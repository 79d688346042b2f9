#!/usr/bin/env bash
# usage: experiments/bench/threads.sh [ROUNDS]
# Threads beside ranks, and slices beside shards, on two cores, in alternating rounds (5); then the memory of VGG-7 by ranks
# x threads. SRQ names the program. Prints a line for each round with the ratio, then the median of each.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
rounds=${1:-5}
srq=${SRQ:-$root/build/release/bin/srq}
models=$root/experiments/models
[ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OPENBLAS_NUM_THREADS=1 # which spins otherwise while it starts
unset OMP_NUM_THREADS

step() { # RANKS THREADS OPTIONS...
  local ranks=$1 threads=$2
  shift 2
  mpirun --quiet --oversubscribe --bind-to none -n "$ranks" "$srq" bench step --threads "$threads" "$@" 2> /dev/null
}
speed() { step "$@" --seconds 4 | grep -o '[0-9.]* images/s' | cut -d' ' -f1; }

# NAME, then what is compared: RANKS THREADS OPTIONS... -- RANKS THREADS OPTIONS...
compare() {
  local name=$1 first=() second=() ratios=() a b
  shift
  while [ "$1" != -- ]; do first+=("$1") && shift; done
  shift
  second=("$@")
  for _ in $(seq "$rounds"); do
    a=$(speed "${first[@]}") b=$(speed "${second[@]}")
    ratios+=("$(awk "BEGIN { printf \"%.3f\", $b / $a }")")
    echo "$name: $a and $b images/s, ratio ${ratios[-1]}"
  done
  echo "$name: median ratio $(printf '%s\n' "${ratios[@]}" | sort -n | sed -n "$(((rounds + 1) / 2))p")"
}
compare "VGG-7, 2 ranks and 2 threads" 2 1 --model "$models/vgg7.cfg" --batch 64 -- 1 2 --model "$models/vgg7.cfg" --batch 64
compare "ResNet-20, 2 ranks and 2 threads" 2 1 --model "$models/resnet20.cfg" -- 1 2 --model "$models/resnet20.cfg"
compare "LeNet-5, 2 ranks and 2 threads" 2 1 -- 1 2
compare "ResNet-20, 2 shards and 2 slices" 1 2 --model "$models/resnet20.cfg" --shards 2 -- 1 2 --model "$models/resnet20.cfg" --shards 1 --slices 2

for shape in 1x1 1x2 1x8 2x1 8x1; do
  step "${shape%x*}" "${shape#*x}" --seconds 1 --json --model "$models/vgg7.cfg" --batch 64 |
    python3 -c "import json, sys; m = json.load(sys.stdin); print('VGG-7, $shape ranks x threads: %.2f GB resident' % (m['memory']['resident_all_ranks'] / 1e9))"
done
