#!/usr/bin/env bash
# usage: experiments/bench/quantizer_vs_torch.sh [ROUNDS [ELEMENTS]]
# SRQ's quantizer, forward and backward on one core: srq beside the formulas in PyTorch (quantizer_vs_torch.py, all 2^b
# probabilities of every element) on one thread, at 2, 3, 4, 6 and 8 bits. Rounds alternate between the two; the median
# rates and the median of the ratios of a round are printed. Both take normal weights, alpha of least mean square error
# and sigma = alpha / 3.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
rounds=${1:-5}
elements=${2:-1000000}
srq=$root/build/release/experiments/srq
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
print(f"{'bits':>4}  {'estimator':9}  {'srq M/s':>8}  {'torch M/s':>9}  {'ratio':>6}  [least..most]  torch's elements")
for bits in (2, 3, 4, 6, 8):
    for estimator in ("full", "argmax"):
        ours, theirs, count = [], [], 0
        for r in range(1, rounds + 1):
            rows = [x for x in json.load(open(f"{work}/srq-{r}-{bits}.json"))["quantizers"] if x["estimator"] == estimator]
            ours.append(1 / sum(1 / x["elements_per_second"] for x in rows))  # forward, then backward
            torch = json.load(open(f"{work}/torch-{r}-{bits}.json"))
            theirs.append(torch[estimator])
            count = torch["elements"]
        ratios = [a / b for a, b in zip(ours, theirs)]
        print(f"{bits:4}  {estimator:9}  {statistics.median(ours) / 1e6:8.1f}  {statistics.median(theirs) / 1e6:9.3f}  "
              f"{statistics.median(ratios):6.0f}  [{min(ratios):.0f}..{max(ratios):.0f}]  {count:,}")
EOT
