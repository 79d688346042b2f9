#!/usr/bin/env bash
# Trains a first 2-bit network on a machine without srq. Installs missing packages, builds srq, imports Fashion-MNIST, trains
# LeNet-5 with 2-bit weights and activations on 2 ranks, and shows the result and a report. If it is run again, it does only
# what is not done yet.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
srq=build/release/bin/srq
log=build/quickstart.log
mkdir -p build

say() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

# Runs a command and writes its output to the log. If the command fails, prints the end of the log.
quietly() {
  "$@" >> "$log" 2>&1 && return
  echo "This command failed: $*" >&2
  tail -n 30 "$log" >&2
  echo "The whole output is in $root/$log" >&2
  exit 4
}

say "1/4 Packages"
experiments/install-packages.sh

say "2/4 Build"
: > "$log"
quietly cmake --preset release
quietly cmake --build --preset release --target srq
echo "$srq"

say "3/4 Data: 70,000 images of Fashion-MNIST"
$srq data import /usr/share/datasets/fashion-mnist data/fashion-mnist.h5

say "4/4 Training on all cores"
$srq train experiments/quickstart.cfg --out runs/quickstart --resume auto

say "The network"
$srq inspect runs/quickstart

say "The report"
$srq report runs/quickstart

cat << EOF

The run directory is $root/runs/quickstart. It contains config.cfg, log.jsonl, checkpoints/ and last.h5.
To see the report, open $root/runs/quickstart/report/report.html in a browser.

Commands to try next, in $root:
  export PATH=$root/build/release/bin:\$PATH   # the pages of the documentation write srq
  $srq train experiments/quickstart.cfg --set quantizer.weight_bits=4 --out runs/w4    # 4-bit weights
  $srq train experiments/quickstart.cfg --set quantizer.method=float32 --out runs/f32  # not quantized
  h5dump -n 1 runs/quickstart/last.h5                                                              # list the content of the checkpoint
EOF
