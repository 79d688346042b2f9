#!/usr/bin/env bash
# usage: experiments/bench/two_ranks.sh [TORCH_DDP.py] [ROUNDS]
# Measures how much faster two ranks are than one rank. Each rank has one thread and the same number of images: 32 for VGG-7,
# 64 for LeNet-5. Rounds alternate. The script prints medians, and the median of the ratios within a round. If a script for
# PyTorch DistributedDataParallel over gloo is given, it is measured too. That script takes the number of processes and
# prints {"images_per_s": ...}.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
torch=${1:-} rounds=${2:-5}
srq=${SRQ:-$root/build/release/bin/srq}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

ours() { # NAME MODEL BITS IMAGES SHARDS RANKS
  mpirun --quiet --oversubscribe --bind-to none -n "$6" "$srq" bench step --model "$root/experiments/models/$2.cfg" --bits "$3" \
    --batch $(($4 * $6)) --shards $(($5 * $6)) --seconds 3 --json > "$work/one.json"
  python3 -c 'import json,sys; print(sys.argv[2], sys.argv[3], json.load(open(sys.argv[1]))["images_per_second"])' "$work/one.json" "$1" "$6"
}
for _ in $(seq "$rounds"); do
  for ranks in 1 2; do
    ours vgg7-4/4 vgg7 4 32 1 $ranks
    ours lenet5-2/2 lenet5 2 64 4 $ranks
    [ -z "$torch" ] || OMP_NUM_THREADS=1 /usr/bin/python3 "$torch" $ranks 32 |
      python3 -c 'import json,sys; print("torch-ddp-vgg7-float32", sys.argv[1], json.load(sys.stdin)["images_per_s"])' $ranks
  done
done > "$work/rows"
python3 - "$work/rows" << 'END'
import statistics, sys
rates = {}
for line in open(sys.argv[1]):
    name, ranks, rate = line.split()
    rates.setdefault(name, {}).setdefault(ranks, []).append(float(rate))
print("| | images/s, 1 rank | 2 ranks | median ratio | least..most |\n|---|---|---|---|---|")
for name, r in rates.items():
    ratios = [b / a for a, b in zip(r["1"], r["2"])]
    print(f"| {name} | {statistics.median(r['1']):.1f} | {statistics.median(r['2']):.1f} | {statistics.median(ratios):.2f} | {min(ratios):.2f}..{max(ratios):.2f} |")
END
