#!/usr/bin/env bash
# usage: experiments/bench/quantizer_vs_torch.sh [ROUNDS [ELEMENTS]]
# Compares the speed of the SRQ quantizer, forward and backward on one core, in srq and in PyTorch on one thread, at 2, 3, 4,
# 6 and 8 bits. The PyTorch program (quantizer_vs_torch.py) evaluates the formulas, with all 2^b probabilities of every
# element. Rounds alternate between the two programs. The script prints the median rates, in million elements per second,
# and the median of the ratios within a round. PyTorch is timed on the whole tensor at once, as in a model, and in pieces
# that fit into the caches, where it is fastest. Both programs use normal weights, the alpha with the smallest mean square
# error, and sigma = alpha / 3. A round takes some minutes.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
rounds=${1:-5}
elements=${2:-1000000}
srq=$root/build/release/bin/srq
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS=1
for round in $(seq "$rounds"); do
  for bits in 2 3 4 6 8; do
    "$srq" bench quantizer --json --bits "$bits" --elements "$elements" --model none > "$work/srq-$round-$bits.json"
    alpha=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["quantizers"][0]["alpha"])' "$work/srq-$round-$bits.json")
    /usr/bin/python3 "$root/experiments/bench/quantizer_vs_torch.py" --bits "$bits" --alpha "$alpha" --elements "$elements" > "$work/torch-$round-$bits.json"
  done
  echo "round $round of $rounds is done" >&2
done
python3 - "$work" "$rounds" << 'EOT'
import json, statistics, sys
work, rounds = sys.argv[1], int(sys.argv[2])
print(f"{'bits':>4}  {'estimator':9}  {'srq':>7}  {'torch, whole':>13}  {'ratio [least..most]':23}  {'torch, pieces':>13}"
      f"  {'ratio [least..most]':23}  torch's elements")
for bits in (2, 3, 4, 6, 8):
    for estimator in ("full", "argmax"):
        ours, whole, pieces, count = [], [], [], 0
        for r in range(1, rounds + 1):
            rows = [x for x in json.load(open(f"{work}/srq-{r}-{bits}.json"))["quantizers"]
                    if x["estimator"] == estimator and not x["dropbits"]]
            ours.append(1 / sum(1 / x["elements_per_second"] for x in rows))  # forward, then backward
            torch = json.load(open(f"{work}/torch-{r}-{bits}.json"))
            whole.append(torch[f"{estimator} whole"])
            pieces.append(torch[f"{estimator} pieces"])
            count = torch["elements"]
        us, them, cut = (statistics.median(rates) / 1e6 for rates in (ours, whole, pieces))
        line = f"{bits:4}  {estimator:9}  {us:7.1f}"
        for theirs, median in ((whole, them), (pieces, cut)):
            ratios = [a / b for a, b in zip(ours, theirs)]
            line += f"  {median:13.3f}  {statistics.median(ratios):6.1f} {f'[{min(ratios):.1f}..{max(ratios):.1f}]':16}"
        print(f"{line}  {count:,}")
EOT
