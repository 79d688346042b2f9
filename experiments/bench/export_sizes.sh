#!/usr/bin/env bash
# Sizes of exported networks: LeNet-5, VGG-7, ResNet-20 and MobileNetV2 (10 classes) with 2, 3, 4 and 8 bits.
#
# usage: export_sizes.sh FASHION.h5 [FOLDER]
# FASHION.h5 is a data set of 28 x 28 grey images with 10 classes. The networks are trained for one step, because sizes
# do not depend on weights (method lsq, one scale for each layer). FOLDER (default: a temporary one) keeps the runs, so
# that a second call goes on where the first one stopped. Prints one row for each network, in bytes: the packed size of
# `srq inspect`, the files, and, if arm-none-eabi-gcc is here, the C file compiled for a Cortex-M4 (code and tables, then
# static memory). MODELS in the environment chooses some of the models. Needs python3 with Pillow.
set -e
fashion=$1 work=${2-$(mktemp -d)}
[ -n "$fashion" ] || { sed -n '4s/^# //p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")/../.." && pwd)
SRQ=${SRQ-$here/build/release/bin/srq}
python=${PYTHON-python3}
mkdir -p "$work"

if [ ! -f "$work/noise.h5" ]; then
  "$python" - "$work/noise" << 'PY'
import os, sys
from PIL import Image
for split, count in ("train", 2), ("test", 1):
    for c in range(10):
        os.makedirs(f"{sys.argv[1]}/{split}/{c}", exist_ok=True)
        for i in range(count):
            size = (40 + c, 36 - c)  # images of several sizes are cut to the input of each network
            Image.effect_noise(size, 50).convert("RGB").save(f"{sys.argv[1]}/{split}/{c}/{i}.png")
PY
  "$SRQ" data import "$work/noise" "$work/noise.h5" > /dev/null
fi

m4=(arm-none-eabi-gcc -std=c99 -Os -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -c)
echo "| network | bits | packed | h5 | c | Cortex-M4 | RAM | onnx | onnx, qdq | onnx, qdq-int2 | qonnx |"
echo "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
for model in ${MODELS-lenet5 vgg7 resnet20 mobilenetv2}; do
  for bits in 2 3 4 8; do
    run=$work/$model-$bits data=$work/noise.h5
    [ $model = lenet5 ] && data=$fashion
    if [ ! -e "$run/last.h5" ]; then
      cat > "$run.cfg" << EOC
model = "$here/experiments/models/$model.cfg"; data = { file = "$(realpath "$data")"; classes = 10; };
train = { batch = 10; shards = 1; epochs = 1; max_steps = 1; };
quantizer = { method = "lsq"; weight_bits = $bits; activation_bits = $bits; };
EOC
      "$SRQ" train "$run.cfg" --out "$run" --resume auto --quiet > "$run.log" 2>&1 || { cat "$run.log" >&2; exit 1; }
    fi
    rm -f "$run".{h5,c,h,onnx} "$run"-{qdq,int2,q}.onnx
    "$SRQ" export "$run" --to h5 "$run.h5" > /dev/null
    "$SRQ" export "$run" --to c "$run.c" > /dev/null
    "$SRQ" export "$run" --to onnx "$run.onnx" > /dev/null
    "$SRQ" export "$run" --to onnx --style qdq "$run-qdq.onnx" > /dev/null
    "$SRQ" export "$run" --to onnx --style qdq-int2 "$run-int2.onnx" > /dev/null
    "$SRQ" export "$run" --to qonnx "$run-q.onnx" > /dev/null
    packed=$("$SRQ" inspect "$run" --json | "$python" -c 'import json, sys; print(int(json.load(sys.stdin)["bytes"]))')
    flash=- ram=-
    if command -v "${m4[0]}" > /dev/null; then
      "${m4[@]}" "$run.c" -o "$run.o"
      read -r flash ram < <(arm-none-eabi-size "$run.o" | awk 'END { print $1 + $2, $3 }')
    fi
    size() { stat -c %s "$1"; }
    echo "| $model | $bits | $packed | $(size "$run.h5") | $(size "$run.c") | $flash | $ram | $(size "$run.onnx") |" \
      "$(size "$run-qdq.onnx") | $(size "$run-int2.onnx") | $(size "$run-q.onnx") |"
  done
done
