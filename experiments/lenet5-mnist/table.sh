#!/usr/bin/env bash
# usage: experiments/lenet5-mnist/table.sh DIR [SEEDS] [JOBS]
# Trains the table of methods on MNIST (experiments/results/lenet5-mnist.md): float32 for 10 epochs from random weights, then
# each method at 2/2 and 3/3 bits for 15 epochs from those weights. JOBS runs go side by side (as many as there are cores
# unless said), each on one rank and one thread. A run is DIR/ROW-SEED; runs that are finished are left as they are and
# stopped ones go on, so the same command completes a table. At the end, and at any time with SEEDS of "", prints the table
# of the runs that are finished, in Markdown.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:?the folder for the runs}
seeds=${2-1 2 3}
jobs=${3:-$(nproc)}
export srq=${SRQ:-$here/../../build/release/experiments/srq} here dir
rows="lsq rq_st srq srq-dropbits srq-argmax srq-argmax-dropbits"
[ -x "$srq" ] || { echo "$srq is not there: build it first, cmake --preset release && cmake --build --preset release" >&2; exit 2; }
[ -z "$seeds" ] || [ -e "$here/../../data/mnist.h5" ] || { echo "MNIST is not there: experiments/data/mnist.sh brings it" >&2; exit 2; }
mkdir -p "$dir"

one() { # ROW SEED SETTINGS...
  local run=$1-s$2 row=$1 seed=$2
  shift 2
  [ ! -e "$dir/$run/log.jsonl" ] || ! grep -q '"event": "stop".*"reason": "done"' "$dir/$run/log.jsonl" || return 0
  "$srq" train "$here/$row.cfg" --out "$dir/$run" --resume auto --set train.seed="$seed" "$@" > "$dir/$run.out" 2>&1 ||
    { echo "$run: status $?: $(tail -n 1 "$dir/$run.out")" >&2; return 255; } # xargs starts no further run after a 255
  echo "$run: $(tail -n 1 "$dir/$run.out")"
}
export -f one
for seed in $seeds; do echo "float32 $seed"; done | xargs -r -P "$jobs" -L 1 bash -c 'one "$@"' _
for seed in $seeds; do
  for row in $rows; do
    for bits in w2a2 w3a3; do echo "$row-$bits $seed --set train.epochs=15 --set train.init=$dir/float32-s$seed"; done
  done
done | xargs -r -P "$jobs" -L 1 bash -c 'one "$@"' _

python3 - "$dir" float32 $rows << 'END'
import glob, json, os, statistics, sys
folder, *rows = sys.argv[1:]
published = {("rq_st", "w2a2"): "0.63 (RQ ST)", ("srq", "w3a3"): "0.67 (SRQ)", ("srq-dropbits", "w3a3"): "0.63 (SRQ + DropBits)",
             ("float32", ""): "0.64 (RQ)"}

def final(run):
    """The last test error in % of a finished run, or None."""
    error, done = None, False
    for line in open(os.path.join(run, "log.jsonl")):
        event = json.loads(line)
        if event["event"] == "eval":
            error = 100 * event["test_error"]
        done = done or (event["event"] == "stop" and event["reason"] == "done")
    return error if done else None

print("| method | W/A bits | seeds | test error, % | mean ± standard deviation | published |\n|---|---|---|---|---|---|")
for bits in ("w2a2", "w3a3"):
    for row in rows:
        name = row if row == "float32" else f"{row}-{bits}"
        if row == "float32" and bits == "w3a3":
            continue
        runs = sorted(p[:-len("/log.jsonl")] for p in glob.glob(os.path.join(glob.escape(folder), f"{name}-s*", "log.jsonl")))
        errors = {run.rsplit("-s", 1)[1]: e for run in runs if (e := final(run)) is not None}
        mean = "" if not errors else f"{statistics.mean(errors.values()):.2f}" + (
            f" ± {statistics.stdev(errors.values()):.2f}" if len(errors) > 1 else "")
        label = "32/32" if row == "float32" else f"{bits[1]}/{bits[3]}"
        print(f"| {row} | {label} | {' '.join(errors)} | {' · '.join(f'{e:.2f}' for e in errors.values())} | {mean} |"
              f" {published.get((row, '' if row == 'float32' else bits), '')} |")
END
