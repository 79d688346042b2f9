#!/usr/bin/env bash
# usage: experiments/bench/lenet5_step.sh TORCH_STEP.py [ROUNDS]
# Images per second of LeNet-5 training, batch 128: srq on 2 ranks x 1 thread beside a PyTorch script on 2 threads (which
# takes --model --mode --batch --threads --bits --steps [--bf16] and prints {"images_per_s": ...} of its best step).
# Rounds alternate between the programs; the medians and the median of the ratios of a round are printed. srq's figure is the
# mean over the steps of 400 after the first 100, data and optimizer included.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
torch=${1:?the PyTorch script}
rounds=${2:-5}
srq=$root/build/release/experiments/srq
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMPI_MCA_btl_vader_single_copy_mechanism=none
[ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

ours() { # METHOD
  rm -rf "$work/run"
  mpirun --quiet --oversubscribe --bind-to none -n 2 "$srq" train "$root/experiments/lenet5-mnist/lsq-w2a2.cfg" --out "$work/run" \
    --set quantizer.method="$1" --set train.max_steps=500 --set train.log_every=100 --set train.eval_every=0 \
    --set train.checkpoint_every=0 > /dev/null
  python3 -c 'import json,sys
rows = [json.loads(l) for l in open(sys.argv[1])]
rates = [r["images_per_second"] for r in rows if r["event"] == "step"][1:]
print(len(rates) / sum(1 / r for r in rates))' "$work/run/log.jsonl"
}
theirs() { # MODE FLAGS...
  local mode=$1
  shift
  /usr/bin/python3 "$torch" --model lenet5 --mode "$mode" --batch 128 --threads 2 --bits 2 --steps 40 "$@" |
    python3 -c 'import json,sys; print(json.load(sys.stdin)["images_per_s"])'
}
for _ in $(seq "$rounds"); do
  for method in float32 lsq srq; do echo "srq-$method $(ours $method)"; done
  echo "torch-float32 $(theirs float32)"
  echo "torch-lsq $(theirs lsq)"
  echo "torch-float32-bf16 $(theirs float32 --bf16)"
  echo "torch-lsq-bf16 $(theirs lsq --bf16)"
done | tee "$work/rows"
python3 - "$work/rows" << 'EOF'
import statistics, sys
rows = {}
for line in open(sys.argv[1]):
    name, rate = line.split()
    rows.setdefault(name, []).append(float(rate))
print()
for name, rates in rows.items():
    print(f"{name:20s} median {statistics.median(rates):7.0f} images/s  ({min(rates):.0f} to {max(rates):.0f})")
for ours in ("srq-float32", "srq-lsq", "srq-srq"):
    for theirs in (n for n in rows if n.startswith("torch")):
        print(f"{ours} / {theirs}: {statistics.median(a / b for a, b in zip(rows[ours], rows[theirs])):.2f}")
EOF
