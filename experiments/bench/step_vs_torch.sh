#!/usr/bin/env bash
# usage: experiments/bench/step_vs_torch.sh vgg7|lenet5|resnet20|resnet18|mobilenetv2 TORCH_STEP.py [ROUNDS]
# Compares images per second of training steps: srq on 2 ranks with 1 thread each, and a PyTorch script on 2 threads. The
# networks are VGG-7 at 4/4 bits with batch 64, LeNet-5 at 2/2 bits with batch 128, ResNet-20 (batch 128), ResNet-18 (32) and
# MobileNetV2 (16) at 4/4 bits. The engine "integer" is measured where the CPU has it. The PyTorch script takes --model
# --mode --batch --threads --bits --steps [--bf16 --channels-last], and prints {"images_per_s": ..., "peak_rss_mb": ...} of
# its best step. Rounds alternate between the programs. The script prints medians, ranges, and the median of the ratios
# within a round. The figure of srq in a round is the median of five measurements of several steps, including the optimizer
# (srq bench step). PyTorch's straightforward SRQ takes a minute, so it is measured only once, only for VGG-7, and not with
# FAST=1 in the environment. BRIEF=1 measures only srq's engines and PyTorch's fastest unquantized step. If the CPU does
# not multiply bfloat16, float32 with channels-last is measured instead (VGG-7).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
model=${1:?vgg7, lenet5, resnet20, resnet18 or mobilenetv2}
torch=${2:?the PyTorch script}
rounds=${3:-5}
srq=${SRQ:-$root/build/release/bin/srq}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
case $model in
  vgg7) batch=64 bits=4 steps=5 seconds=4 fast="--bf16 --channels-last" plain="--channels-last" shards="2 8" ;;
  lenet5) batch=128 bits=2 steps=40 seconds=1 fast="--bf16" plain="" shards=8 ;;
  resnet20) batch=128 bits=4 steps=10 seconds=3 fast="--bf16 --channels-last" plain="--channels-last" shards="2 8" ;;
  resnet18) batch=32 bits=4 steps=4 seconds=4 fast="--bf16 --channels-last" plain="--channels-last" shards="2 8" ;;
  mobilenetv2) batch=16 bits=4 steps=4 seconds=4 fast="" plain="--channels-last" shards="2 8" ;; # no ReLU6 in bfloat16
  *) echo "the model must be vgg7, lenet5, resnet20, resnet18 or mobilenetv2, but is $model" >&2; exit 2 ;;
esac
# If the CPU does not multiply bfloat16, PyTorch's autocast is many times slower than float32.
kind=bf16
grep -q avx512_bf16 /proc/cpuinfo || fast=$plain kind=channels-last

integer=
"$srq" version | grep -q "^CPU .* avx512_" && "$srq" version | grep -q "^oneDNN *[0-9]" && integer=yes

ours() { # NAME ARGUMENTS...
  local name=$1
  shift
  mpirun --quiet --oversubscribe --bind-to none -n 2 "$srq" bench step --model "$root/experiments/models/$model.cfg" --batch "$batch" \
    --bits "$bits" --seconds "$seconds" --json "$@" > "$work/one.json"
  python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print(sys.argv[2], d["images_per_second"], d["memory"]["resident_all_ranks"]/1e6)' "$work/one.json" "$name"
}
theirs() { # NAME MODE STEPS FLAGS...
  local name=$1 mode=$2 count=$3
  shift 3
  OMP_NUM_THREADS=2 /usr/bin/python3 "$torch" --model "$model" --mode "$mode" --batch "$batch" --threads 2 --bits "$bits" --steps "$count" "$@" |
    python3 -c 'import json,sys; d=json.load(sys.stdin); print(sys.argv[1], d["images_per_s"], d["peak_rss_mb"]*1.048576)' "$name"
}
{
  for _ in $(seq "$rounds"); do
    for v in $shards; do
      ours "srq-full-V$v" --shards "$v"
      [ -z "$integer" ] || ours "srq-integer-V$v" --shards "$v" --engine integer
    done
    [ -z "$fast" ] || theirs "torch-float32-$kind" float32 "$steps" $fast
    if [ -n "${BRIEF:-}" ]; then
      [ -n "$fast" ] || theirs torch-float32-channels-last float32 "$steps" $plain
      continue
    fi
    ours srq-argmax --estimator argmax --shards "${shards%% *}"
    [ -z "$fast" ] || theirs "torch-lsq-$kind" lsq "$steps" $fast
    ours srq-lsq --method lsq --shards "${shards%% *}"
    theirs torch-float32 float32 "$steps"
    [ "$model" != mobilenetv2 ] || theirs torch-float32-channels-last float32 "$steps" $plain
    ours srq-float32 --method float32 --shards "${shards%% *}"
    theirs torch-lsq lsq "$steps"
  done
  [ "$model" != vgg7 ] || [ -n "${FAST:-}${BRIEF:-}" ] || theirs torch-srq srq 1
} | tee "$work/rows" >&2
python3 - "$work/rows" << 'EOF'
import statistics, sys
rates, memory = {}, {}
for line in open(sys.argv[1]):
    name, rate, bytes_ = line.split()
    rates.setdefault(name, []).append(float(rate))
    memory.setdefault(name, []).append(float(bytes_))
print("| | images/s, median | least..most | resident, MB |\n|---|---|---|---|")
for name, r in rates.items():
    print(f"| {name} | {statistics.median(r):.1f} | {min(r):.1f}..{max(r):.1f} | {statistics.median(memory[name]):.0f} |")
ours = [n for n in rates if n.startswith("srq")]
theirs = [n for n in rates if n.startswith("torch")]
print("\nMedian of the ratios of a round:\n\n| | " + " | ".join(theirs) + " |\n|---" * 1 + "|---" * len(theirs) + "|")
for o in ours:
    print(f"| {o} | " + " | ".join(f"{statistics.median(a / b for a, b in zip(rates[o], rates[t] * (len(rates[o]) if len(rates[t]) == 1 else 1))):.2f}" for t in theirs) + " |")
EOF
