#!/usr/bin/env bash
# Images per second of exported networks on one core: the C file by several compilers and options, `srq eval` of the run,
# and ONNX Runtime.
#
# usage: deploy.sh RUN DATA.h5 [ROUNDS [IMAGES]]
# DATA.h5 has test images of one size. In each of ROUNDS (5) rounds, every way runs once, one after another, so that
# slow phases of the machine meet all of them. The C file and ONNX Runtime run IMAGES (2000) images, `srq eval` all test
# images. The time of a way is that of its program less that of the same program without images (`srq eval`: with one
# image); that of ONNX Runtime is measured by the script around the runtime, which gets 50 images at once. Everything
# runs on one thread and is bound to one core, if taskset is here. Prints the median and the range over rounds. Needs
# python3 with h5py and numpy, and for ONNX Runtime NODE_PATH.
set -e
run=$1 data=$2 rounds=${3-5} images=${4-2000}
[ -n "$data" ] || { sed -n '5s/^# //p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")/../.." && pwd)
SRQ=${SRQ-$here/build/release/bin/srq}
python=${PYTHON-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
pin=()
command -v taskset > /dev/null && pin=(taskset -c "${CORE-0}")

"$python" - "$data" "$work" "$images" << 'PY'
import shutil, sys
import h5py
data, work, images = sys.argv[1:]
with h5py.File(data) as f:
    pixels = f["test/images"][:]
    pixels[:int(images)].tofile(f"{work}/pixels")
    print(*(pixels.shape[1:] if pixels.ndim == 4 else pixels.shape[1:] + (1,)), len(pixels), f["classes"].shape[0], file=open(f"{work}/shape", "w"))
shutil.copy(data, f"{work}/one.h5")
with h5py.File(f"{work}/one.h5", "r+") as f:
    for name in "images", "labels":
        kept = f[f"test/{name}"][:1]
        attributes = dict(f[f"test/{name}"].attrs)
        del f[f"test/{name}"]
        f[f"test/{name}"] = kept
        f[f"test/{name}"].attrs.update(attributes)
PY
read -r height width channels all classes < "$work/shape"

"$SRQ" export "$run" --to c "$work/net.c" > /dev/null
"$SRQ" export "$run" --to onnx "$work/integer.onnx" > /dev/null
"$SRQ" export "$run" --to onnx --style qdq "$work/qdq.onnx" > /dev/null
driver=("$here/experiments/bench/run_net.c" "-DPIXELS=$((height * width * channels))" "-DCLASSES=$classes")
ways=()
for compiler in "gcc -O2" "gcc -O3" "gcc -O3 -march=native" "clang -O3 -march=native"; do
  command -v "${compiler%% *}" > /dev/null || continue
  # shellcheck disable=SC2086
  $compiler -std=c99 "$work/net.c" "${driver[@]}" -o "$work/${compiler// /_}"
  ways+=("$compiler")
done

# seconds COMMAND...: wall-clock seconds.
seconds() {
  local since=$EPOCHREALTIME
  "${pin[@]}" "$@" > /dev/null
  echo "$since $EPOCHREALTIME" | awk '{ printf "%.6f\n", $2 - $1 }'
}
# record NAME IMAGES SECONDS [SECONDS-WITHOUT]: adds images per second to the file.
record() {
  awk -v n="$2" -v t="$3" -v o="${4-0}" -v name="$1" 'BEGIN { printf "%s\t%.1f\n", name, n / (t - o) }' >> "$work/rates"
}
for ((round = 0; round < rounds; round++)); do
  for way in "${ways[@]}"; do
    empty=$(seconds "$work/${way// /_}" < /dev/null)
    record "C file, \`$way\`" "$images" "$(seconds "$work/${way// /_}" < "$work/pixels")" "$empty"
  done
  # The data set of one image keeps the normalisation, which is of the training images.
  one=$(seconds "$SRQ" eval "$run" --data "$work/one.h5" --threads 1)
  record "\`srq eval\`" $((all - 1)) "$(seconds "$SRQ" eval "$run" --data "$data" --threads 1)" "$one"
  for style in integer qdq; do
    if "${pin[@]}" node "$here/tests/onnx/run.js" "$work/$style.onnx" "${channels}x${height}x$width" time < "$work/pixels" > /dev/null 2> "$work/log"; then
      record "ONNX Runtime $(tail -1 "$work/log" | cut -d' ' -f1), $style" "$images" "$(tail -1 "$work/log" | cut -d' ' -f2)"
    fi
  done
done
"$python" - "$work/rates" << 'PY'
import statistics, sys
rates = {}
for line in open(sys.argv[1]):
    name, rate = line.rstrip("\n").split("\t")
    rates.setdefault(name, []).append(float(rate))
print("| way | images/s, median | range |\n|---|---:|---|")
for name, all_of in rates.items():
    print(f"| {name} | {statistics.median(all_of):,.0f} | {min(all_of):,.0f} - {max(all_of):,.0f} |")
PY
