#!/usr/bin/env bash
# usage: tests/invariance.sh [STEPS]
# The same bits on 1 to 16 ranks and 1 to 8 threads, at length: LeNet-5 at 2/2 and ResNet-20 at 4/4 bits under DropBits with
# augmentation, and ResNet-20 that learns its bits; three engines, both numbers on the wire, 16 shards of 1 and of 4 slices,
# each shape with buckets of its own size and on nodes of its own (SRQ_NODE). Many minutes; short forms are
# tests/e2e/ranks.sh and threads.sh. SRQ names
# the program. Prints a line for each comparison and ends with
# status 1 if one differs.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
steps=${1:-5}
srq=${SRQ:-$root/build/release/bin/srq}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
"$srq" data import "$root/tests/data/fashion-slice" "$work/fashion.h5" > /dev/null || exit 3
failed=0

same() { # NAME SETTINGS...
  local name=$1 ranks threads bucket
  shift
  while read -r ranks threads bucket overlap place; do
    # shellcheck disable=SC2016
    timeout 600 mpirun --quiet --oversubscribe -n "$ranks" bash -c 'RANK=$OMPI_COMM_WORLD_RANK SRQ_NODE=$(('"${place//RANK/OMPI_COMM_WORLD_RANK}"')) exec "$0" "$@"' \
      "$srq" train "$work/$name.cfg" --out "$work/run-$ranks-$threads" --threads "$threads" \
      --set train.max_steps="$steps" --set train.bucket_mb="$bucket" --set train.overlap="$overlap" "$@" < /dev/null > "$work/log" 2>&1 ||
      { echo "FAIL: $name on $ranks x $threads: $(tail -n 3 "$work/log")"; failed=1; }
    [ "$ranks" = 1 ] && [ "$threads" = 1 ] && continue
    if "$srq" diff "$work/run-1-1" "$work/run-$ranks-$threads" > "$work/log" 2>&1; then
      echo "equal: $name $* on 1 x 1 and $ranks x $threads ranks x threads (buckets of $bucket MB, overlap $overlap, nodes by $place)"
    else
      echo "FAIL: $name $* on 1 x 1 and $ranks x $threads (buckets of $bucket MB): $(head -n 3 "$work/log")"
      failed=1
    fi
  done << END
1 1 4.0 true 0
1 2 0.0 true 0
1 3 0.1 true 0
1 8 4.0 false 0
2 1 0.0 true 0
2 2 1000.0 true RANK
2 4 0.2 false 0
3 1 0.05 true RANK/2
3 2 4.0 true 0
4 4 0.5 true RANK/2
5 1 0.2 false RANK%2
8 1 0.0 false 0
8 2 0.3 true RANK/4
8 3 4.0 true RANK%2
16 1 1.0 true RANK/3
END
  rm -rf "$work"/run-*
}

engines="auto float32"
"$srq" version | grep -q "^CPU .* avx512_" && engines="auto integer float32"
for model in lenet5 resnet20 learned; do
  sed 's/channels = 3; }/channels = 1; }/; s/height = 32; width = 32/height = 28; width = 28/' "$root/experiments/models/${model/learned/resnet20}.cfg" > "$work/$model-model.cfg"
  bits=4 mode=regularize
  [ $model = lenet5 ] && bits=2
  [ $model = learned ] && bits=8 mode=learn
  cat > "$work/$model.cfg" << END
model = "$model-model.cfg"; data = { file = "fashion.h5"; pad = 2; flip = true; };
train = { batch = 128; shards = 16; epochs = 1; };
quantizer = { method = "srq"; weight_bits = $bits; activation_bits = $bits; };
dropbits = { mode = "$mode"; min_bits = 1; };
END
  for engine in $engines; do
    for slices in 1 4; do
      wire=float32
      [ $slices = 4 ] && [ $engine = float32 ] && wire=bfloat16
      same $model --set train.engine=$engine --set train.wire=$wire --set train.slices=$slices
    done
  done
done
[ $failed = 0 ] && echo "all equal"
exit $failed
