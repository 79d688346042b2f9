#!/usr/bin/env bash
# usage: experiments/bench/integer_accuracy.sh lenet5|resnet20 DATA.h5 OUT [SRQ SETTINGS...]
# What the engine "integer" costs in test error: trains LeNet-5 at 2/2 bits (five seeds, 5 epochs) or ResNet-20 at 4/4 bits
# (three seeds) with the engines "mixed" and "integer", and prints the differences of each seed with a 95 % interval. The
# same command continues after a stop. SRQ names the program. Other settings, such as train.epochs=30, replace those below.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
model=${1:?lenet5 or resnet20}
data=$(realpath "${2:?a data set}")
out=${3:?a folder}
shift 3
srq=${SRQ:-$root/build/release/bin/srq}
case $model in
  lenet5) seeds=1,2,3,4,5 bits=2 settings="epochs = 5; batch = 128; shards = 8;" augment="" ;;
  resnet20) seeds=1,2,3 bits=4 settings="epochs = 10; batch = 128; shards = 4;" augment="pad = 4; flip = true;" ;;
  *) echo "the model must be lenet5 or resnet20, but is $model" >&2; exit 2 ;;
esac
mkdir -p "$out"
cat > "$out/base.cfg" << END
model = "$root/experiments/models/$model.cfg"; data = { file = "$data"; $augment };
train = { $settings };
optimizer = { method = "adam"; learning_rate = 1e-3; }; schedule = { method = "linear"; };
quantizer = { method = "srq"; weight_bits = $bits; activation_bits = $bits; };
END
more=()
for setting in "$@"; do more+=(--set "$setting"); done
"$srq" sweep "$out/base.cfg" --out "$out/runs" --set train.engine=mixed,integer --set "train.seed=$seeds" "${more[@]}"
python3 - "$out/runs" << 'EOF'
import json, math, pathlib, statistics, sys
rows = {}
for log in sorted(pathlib.Path(sys.argv[1]).rglob("log.jsonl")):
    start, error = {}, None
    for line in open(log):
        row = json.loads(line)
        if row.get("event") == "start":
            start = row
        if row.get("event") == "eval":
            error = row["test_error"]
    engine = "integer" if "integer" in start["engine"] else "mixed"
    rows.setdefault(start["seed"], {})[engine] = 100 * error
t = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
print("| seed | mixed, % | integer, % | difference, points |\n|---|---|---|---|")
differences = []
for seed, row in sorted(rows.items()):
    if len(row) < 2:
        continue
    differences.append(row["integer"] - row["mixed"])
    print(f"| {seed} | {row['mixed']:.2f} | {row['integer']:.2f} | {differences[-1]:+.2f} |")
n = len(differences)
if n > 1:
    half = t.get(n, 1.96) * statistics.stdev(differences) / math.sqrt(n)
    print(f"| mean | | | {statistics.mean(differences):+.2f} ± {half:.2f} |")
EOF
