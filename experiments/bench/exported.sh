#!/usr/bin/env bash
# Compares exported networks with evaluation, bit for bit, on test images: the C file by several compilers, with
# sanitizers and on an emulated ARM, and the ONNX file in ONNX Runtime.
#
# usage: exported.sh RUN DATA.h5 [IMAGES [C-IMAGES [SLOW]]]
# RUN is a run directory or a checkpoint. IMAGES (0: all, the default) is the number of test images; C-IMAGES that of the
# C file by gcc -O2 and clang -O2, by default the same; SLOW that of the slow ways (-O0, sanitizers, qemu-arm), by default
# 500. They are spread over the test images, which may be sorted by class. The images must be of one size (not a data set
# of JPEG files). Checkpoints of earlier versions of srq have no mean and standard deviation: `srq predict` then takes
# those of DATA.h5, so that they are exported here as well (--data). Prints one row for each way: images, predictions that
# differ from `srq predict`, images with a logit of other bits, and the largest difference of a logit. Ways whose compiler,
# qemu-arm or ONNX Runtime (in $NODE_PATH) is not here are left out, and said. Needs python3 with h5py and numpy.
set -e
run=$1 data=$2 images=${3-0} fast=${4-0} slow=${5-500}
[ -n "$data" ] || { sed -n '5s/^# //p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")/../.." && pwd)
SRQ=${SRQ-$here/build/release/bin/srq}
python=${PYTHON-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$SRQ" predict "$run" "$data" --logits --json > "$work/predict.json"
"$python" - "$data" "$work" "$images" "$fast" "$slow" << 'PY'
import json, sys
import h5py, numpy as np
data, work, *counts = sys.argv[1:]
pixels = h5py.File(data)["test/images"][:]
logits = np.array([p["logits"] for p in json.load(open(f"{work}/predict.json"))["images"]], np.float32)
for name, count in zip(("all", "fast", "slow"), map(int, counts)):
    count = min(count or len(pixels), len(pixels))
    chosen = np.arange(count) * len(pixels) // count
    pixels[chosen].tofile(f"{work}/pixels-{name}")
    logits[chosen].tofile(f"{work}/logits-{name}")
shape = pixels.shape[1:] if pixels.ndim == 4 else pixels.shape[1:] + (1,)
print(*shape, logits.shape[1], file=open(f"{work}/shape", "w"))
PY
read -r height width channels classes < "$work/shape"

# compare NAME FILE IMAGES: the row of one way.
compare() {
  "$python" - "$1" "$2" "$work/logits-$3" "$classes" << 'PY'
import sys
import numpy as np
name, file, expected, classes = sys.argv[1:]
found = np.fromfile(file, np.float32).reshape(-1, int(classes))
expected = np.fromfile(expected, np.float32).reshape(-1, int(classes))
bits = (found.view(np.int32) != expected.view(np.int32)).any(1).sum()
differ = (found.argmax(1) != expected.argmax(1)).sum()
print(f"| {name} | {len(found):,} | {differ} | {bits} | {np.abs(found.astype(float) - expected).max():.2g} |", flush=True)
PY
}

"$SRQ" export "$run" --data "$data" --to c "$work/net.c" > /dev/null
driver=("$here/experiments/bench/run_net.c" "-DPIXELS=$((height * width * channels))" "-DCLASSES=$classes")

# by IMAGES [qemu-arm] COMPILER...: the C file.
by() {
  local images=$1 runner=()
  shift
  if [ "$1" = qemu-arm ]; then
    runner=(qemu-arm -L /usr/arm-linux-gnueabihf)
    shift
  fi
  if ! command -v "$1" > /dev/null || ! command -v "${runner[0]-true}" > /dev/null; then
    echo "left out: $* (not installed)" >&2
    return
  fi
  "$@" -std=c99 "$work/net.c" "${driver[@]}" -o "$work/net"
  "${runner[@]}" "$work/net" < "$work/pixels-$images" > "$work/out"
  compare "\`${runner[0]:+qemu-arm, }$*\`" "$work/out" "$images"
}

echo "| way | images | predictions that differ | images with other bits | largest difference |"
echo "|---|---:|---:|---:|---:|"
by fast gcc -O2
by fast clang -O2
by slow gcc -O0
by slow clang -O0
by slow gcc -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
by slow clang -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
by slow qemu-arm arm-linux-gnueabihf-gcc -O2 -mfpu=neon-vfpv4 -ffp-contract=fast
for style in integer qdq; do
  "$SRQ" export "$run" --data "$data" --to onnx "$work/$style.onnx" --style $style > /dev/null
  if node "$here/tests/onnx/run.js" "$work/$style.onnx" "${channels}x${height}x$width" < "$work/pixels-all" > "$work/out"; then
    tail -c +2 "$work/out" > "$work/onnx"
    compare "ONNX Runtime, $style" "$work/onnx" all
  else
    echo "left out: ONNX Runtime (not installed, or it refused the model)" >&2
  fi
done
