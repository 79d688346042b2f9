#!/usr/bin/env bash
# usage: tests/invariance.sh [STEPS]
# The same bits on 1, 2, 3, 4, 5, 8 and 16 ranks, at length: LeNet-5 at 2/2 and ResNet-20 at 4/4 bits under DropBits with
# augmentation, both engines, both numbers on the wire, 16 shards, each number of ranks with buckets of its own size. Some
# minutes; a short form is tests/e2e/ranks.sh. SRQ names the program. Prints a line for each comparison and ends with
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
  local name=$1 ranks bucket
  shift
  while read -r ranks bucket overlap; do
    timeout 600 mpirun --quiet --oversubscribe -n "$ranks" "$srq" train "$work/$name.cfg" --out "$work/run-$ranks" \
      --set train.max_steps="$steps" --set train.bucket_mb="$bucket" --set train.overlap="$overlap" "$@" < /dev/null > "$work/log" 2>&1 ||
      { echo "FAIL: $name on $ranks ranks: $(tail -n 3 "$work/log")"; failed=1; }
    [ "$ranks" = 1 ] && continue
    if "$srq" diff "$work/run-1" "$work/run-$ranks" > "$work/log" 2>&1; then
      echo "equal: $name $* on 1 and $ranks ranks (buckets of $bucket MB, overlap $overlap)"
    else
      echo "FAIL: $name $* on 1 and $ranks ranks (buckets of $bucket MB): $(head -n 3 "$work/log")"
      failed=1
    fi
  done << END
1 4.0 true
2 0.0 true
3 0.05 true
4 1000.0 true
5 0.2 false
8 0.0 false
16 1.0 true
END
  rm -rf "$work"/run-*
}

for model in lenet5 resnet20; do
  sed 's/channels = 3; }/channels = 1; }/; s/height = 32; width = 32/height = 28; width = 28/' "$root/experiments/models/$model.cfg" > "$work/$model-model.cfg"
  bits=4
  [ $model = lenet5 ] && bits=2
  cat > "$work/$model.cfg" << END
model = "$model-model.cfg"; data = { file = "fashion.h5"; pad = 2; flip = true; };
train = { batch = 128; shards = 16; epochs = 1; };
quantizer = { method = "srq"; weight_bits = $bits; activation_bits = $bits; };
dropbits = { mode = "regularize"; min_bits = 1; };
END
  for engine in auto float32; do
    for wire in float32 bfloat16; do
      same $model --set train.engine=$engine --set train.wire=$wire
    done
  done
done
[ $failed = 0 ] && echo "all equal"
exit $failed
