#!/usr/bin/env bash
# usage: experiments/bench/threads.sh [ROUNDS]
# Threads beside ranks, and slices beside shards, on two cores, in alternating rounds (5); then the memory of VGG-7 by ranks
# x threads; then, for root with iproute2, the bytes that each of two hosts sends in a step of LeNet-5 with 1, 2, 4 and 8
# ranks. SRQ names the program. Prints a line for each round with the ratio, then the median of each.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
rounds=${1:-5}
srq=${SRQ:-$root/build/release/bin/srq}
[ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# Inside tests/lab/alone.sh: two hosts with a network of their own.
count_bytes() {
  local work ranks steps i
  work=$(mktemp -d)
  "$root/tests/lab/hosts-up.sh" 2
  "$srq" data import "$root/tests/data/fashion-slice" "$work/slice.h5" > /dev/null
  cat > "$work/run.cfg" << EOF
model = "$root/experiments/models/lenet5.cfg"; data = { file = "slice.h5"; };
train = { batch = 64; shards = 16; checkpoint_every = "0it"; eval_every = "0it"; log_every = "0it"; };
EOF
  gradient=$("$srq" bench step --json --seconds 0 --threads 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["memory"]["parameters"])')
  for ranks in 1 2 4 8; do
    for steps in 5 25; do
      sent() { for i in 1 2; do ip -n "h$i" -s link show eth0 | awk '/TX:/ { getline; print $1 }'; done; }
      sent > "$work/before"
      "$root/tests/lab/hosts-agent.sh" h1 "cd '$work' && mpirun --quiet --oversubscribe --mca plm_rsh_agent '$root/tests/lab/hosts-agent.sh' \
        --mca pml ob1 --mca btl tcp,self --mca mpi_yield_when_idle 1 --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 \
        -H 10.77.0.1:$ranks,10.77.0.2:$ranks -n $((2 * ranks)) '$srq' train run.cfg --out run-$ranks-$steps --quiet --threads 1 \
        --set train.max_steps=$steps" || echo "failed: $ranks ranks, $steps steps"
      sent | paste "$work/before" - | awk '{ print $2 - $1 }' > "$work/bytes-$steps"
    done
    paste "$work/bytes-5" "$work/bytes-25" | awk -v ranks=$ranks -v gradient="$gradient" \
      '{ printf "%d ranks a host: h%d sends %.3f times the gradient in a step\n", ranks, NR, ($2 - $1) / 20 / gradient }'
  done
  rm -rf "$work"
}
if [ "${1:-}" = --bytes ]; then count_bytes; exit; fi
models=$root/experiments/models
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
[ "$(id -u)" != 0 ] || SRQ=$srq "$root/tests/lab/alone.sh" bash "$0" --bytes
