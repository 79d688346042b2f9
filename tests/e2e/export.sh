#!/usr/bin/env bash
# Exported networks predict as evaluation does: every kind of layer and of grid as C and as deployed tensors, on all test
# images; the C file with several compilers; and what `srq export` refuses.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
cd "$WORK" || exit 1
cat > mixed.cfg << EOF2
name = "mixed"; input = { height = 28; width = 28; channels = 1; };
layers = (
  { name = "conv1"; type = "conv"; out = 8; kernel = 5; stride = 3; padding = 2; }, { name = "leaky1"; type = "leaky_relu"; slope = 0.1; },
  { name = "act1"; type = "quantize"; },
  { name = "pool1"; type = "max_pool"; kernel = 3; stride = 1; padding = 1; },
  { name = "conv2"; type = "conv"; out = 4; kernel = 3; padding = 1; }, { name = "gate"; type = "sigmoid"; },
  { name = "act2"; type = "quantize"; },
  { name = "mean"; type = "avg_pool"; inputs = ["input"]; kernel = 5; stride = 3; padding = 2; },
  { name = "both"; type = "concat"; inputs = ["act1", "act2", "leaky1", "mean"]; },
  { name = "fc"; type = "dense"; out = 10; } );
EOF2
sed 's/lenet.cfg/mixed.cfg/' lenet-run.cfg > mixed-run.cfg

# train NAME CONFIG SETTINGS...: a few steps, so that weights, scales and statistics are no longer those of the start.
train() {
  local name=$1 config=$2
  shift 2
  "$SRQ" train "$config" --out "run-$name" --set train.max_steps=3 --set optimizer.learning_rate=5e-3 "$@" > log 2>&1 ||
    fail "training $name: $(tail -3 log)"
}

# agrees NAME [RUN]: as C and as tensors, the logits of all test images have the interpreter's bits, and predictions are those
# of evaluation.
agrees() {
  local name=$1 run=${2-run-$1}
  for to in c h5; do
    "$SRQ" export "$run" --to $to "$name.$to" --check slice.h5 > log 2>&1 || fail "$name as $to: status $?: $(tail -4 log)"
    grep -q '256 images: logits of none have other bits' log || fail "$name as $to has other bits: $(cat log)"
    grep -q '256 images: predictions of none differ' log || fail "$name as $to predicts something else: $(cat log)"
  done
}

# tests_itself NAME COMPILER...: the C file with its self-test.
tests_itself() {
  local name=$1
  shift
  "$@" -std=c99 -Wall -Wextra -Wpedantic -Werror -DSRQ_SELFTEST "$name.c" -o "$name-test" 2> log || fail "$* on $name.c: $(head -5 log)"
  ${RUNNER:-} "./$name-test" > log 2>&1 || fail "$name.c by $*: $(head -5 log)"
}

train lenet lenet-run.cfg --set quantizer.weight_bits=2 --set quantizer.activation_bits=2
agrees lenet
of=$("$SRQ" eval run-lenet) of_file=$("$SRQ" eval lenet.h5 --data slice.h5)
[ "$of" = "$of_file" ] || fail "\"$of\" of the run, \"$of_file\" of the deployed file"
[ "$(on_ranks 3 eval lenet.h5 --data slice.h5 --threads 2)" = "$of_file" ] || fail "another evaluation on 3 ranks"
[ "$("$SRQ" eval lenet.h5 --data slice.h5 --threads 3)" = "$of_file" ] || fail "another evaluation on 3 threads"
train mixed mixed-run.cfg --set quantizer.method=ste --set quantizer.weight_bits=5 --set quantizer.activation_bits=8
agrees mixed
sanitized="mixed" contracted="mixed"
if [ "$SHORT" = OFF ]; then
  train residual residual-run.cfg --set quantizer.method=rq --set quantizer.granularity=channel --set quantizer.weight_bits=3 --set quantizer.activation_bits=3
  train inverted inverted-run.cfg --set quantizer.weight_bits=4 --set quantizer.activation_bits=4
  train float residual-run.cfg --set quantizer.method=float32
  for name in residual inverted float; do agrees $name; done
  "$SRQ" ticket lenet-run.cfg --out ticket --quiet --set train.max_steps=3 --set prune.levels=1 --set prune.rate=0.8 --stage learn --stage prune > log 2>&1 ||
    fail "the ticket: $(tail -3 log)"
  agrees pruned ticket/seed-1/prune-01
  grep -q 'mask_' pruned.c || fail "the C file of a pruned network has no mask"
  sanitized="mixed pruned" contracted="mixed residual"
fi

# With sanitizers; by another compiler and on another processor, which may contract products and sums; without
# optimization.
for name in $sanitized; do tests_itself $name gcc -O1 -fsanitize=address,undefined -fno-sanitize-recover=all; done
command -v clang > /dev/null && tests_itself mixed clang -O2 -ffp-contract=fast
if command -v qemu-arm > /dev/null && command -v arm-linux-gnueabihf-gcc > /dev/null; then
  for name in $contracted; do
    RUNNER="qemu-arm -L /usr/arm-linux-gnueabihf" tests_itself $name arm-linux-gnueabihf-gcc -O2 -mfpu=neon-vfpv4 -ffp-contract=fast
  done
else
  tests_itself mixed gcc -O0
fi
# On a microcontroller it needs no library, and takes little more room than its packed weights.
if command -v arm-none-eabi-gcc > /dev/null; then
  arm-none-eabi-gcc -std=c99 -Os -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -c lenet.c -o lenet-m4.o 2> log || fail "Cortex-M4: $(head -3 log)"
  size=$(arm-none-eabi-size lenet-m4.o | awk 'END { print $1 + $2 }')
  packed=$("$SRQ" inspect run-lenet --json | python3 -c 'import json, sys; print(int(json.load(sys.stdin)["bytes"]))')
  [ "$size" -le $((packed * 115 / 100 + 8192)) ] || fail "$size bytes on a Cortex-M4, for $packed packed ones"
fi

# ONNX and QONNX, by an evaluator that is written from the definitions of their operators: integer sums and what follows them
# have the interpreter's bits; sums of floats are close; no prediction differs. ONNX Runtime is asked if it is here.
tasks="" nets="lenet mixed"
[ "$SHORT" = OFF ] && nets="lenet mixed residual inverted float pruned"
for name in $nets; do
  run=run-$name integer=exact
  [ $name = pruned ] && run=ticket/seed-1/prune-01
  case $name in mixed | float | residual) integer=close ;; esac # floats meet weights in some layer, or Sigmoid is another
  case $name in lenet | pruned) bits=:2 ;; residual) bits=:3 ;; inverted) bits=:4 ;; *) bits="" ;; esac
  "$SRQ" export $run --to onnx $name.onnx > log 2>&1 && "$SRQ" export $run --to onnx $name-qdq.onnx --style qdq > log 2>&1 &&
    "$SRQ" export $run --to onnx $name-int2.onnx --style qdq-int2 > log 2>&1 && "$SRQ" export $run --to qonnx $name-q.onnx > log 2>&1 ||
    fail "$name as ONNX: $(cat log)"
  "$SRQ" predict $name.h5 slice.h5 --logits --json > $name.json 2> log || fail "predict $name.h5: $(cat log)"
  tasks="$tasks $name.onnx $name.json $integer $name-qdq.onnx $name.json same $name-int2.onnx $name.json same $name-q.onnx $name.json same$bits"
done
# shellcheck disable=SC2086
python3 "$SOURCE/tests/onnx/evaluate.py" slice.h5 64 $tasks > log 2>&1 || fail "ONNX: $(tail -4 log)"
grep -o 'checker .*' log | sort | uniq -c
"$SRQ" export run-lenet --to onnx checked.onnx --check slice.h5 > log 2>&1 || fail "ONNX Runtime: $(cat log)"
if grep -q 'itself was not run' log; then
  echo "skipped: ONNX Runtime: $(cat log)"
else
  grep -q '256 images: logits of none have other bits' log || fail "ONNX Runtime gives other bits: $(cat log)"
fi

# Names: of the file, or as told; what is no name in C is refused.
expect 0 "odd-name 2.c" "$SRQ" export run-lenet --to c "odd-name 2.c"
grep -q '^void odd_name_2_run' "odd-name 2.c" || fail "no function odd_name_2_run"
expect 0 "digits.c" "$SRQ" export run-lenet --to c 3-digits.c
grep -q '^int net_3_digits_predict' 3-digits.c || fail "no function net_3_digits_predict"
expect 0 "told.c" "$SRQ" export run-lenet --to c told.c --name my_net
grep -q 'my_net_run' told.h || fail "no function my_net_run"
expect 2 "--name must be letters, digits and underscores" "$SRQ" export run-lenet --to c n.c --name "a-b"

# Inspect shows the operations.
expect 0 "weights of 2 bits" "$SRQ" inspect lenet.h5
"$SRQ" inspect lenet.h5 --json | python3 -c 'import json, sys; o = json.load(sys.stdin)["operations"]; assert o[0]["weight_bits"] == 2, o' || fail "inspect --json"
expect 2 "is a deployed network, whose tensors are not shown" "$SRQ" inspect lenet.h5 fc1
expect 2 "use --data FILE" "$SRQ" eval lenet.h5
# The layout of docs/export.md, by another program.
python3 - << 'EOF2' || fail "h5py reads other codes"
import h5py, numpy as np
f = h5py.File("lenet.h5")
layers, kinds, table = f["operations/layer"][:].astype(str), f["operations/kind"][:].astype(str), f["operations/table"][:]
packed, bits, count = f["weights/fc1"][:], f["weights/fc1"].attrs["bits"], f["weights/fc1"].attrs["count"]
fields = np.unpackbits(packed, bitorder="little")[: bits * count].reshape(count, bits)
codes = (fields * 2 ** np.arange(bits)).sum(1)
codes = np.where(codes >= 2 ** (bits - 1), codes - 2**bits, codes)
run = h5py.File("run-lenet/last.h5")["layers/fc1"]
assert (codes == np.clip(np.rint(run["weight"][:].ravel() / run["weight_alpha"][()]), -2, 1)).all()
row = [i for i in range(len(layers)) if layers[i] == "fc1" and kinds[i] == "Conv"][0]
assert tuple(table[row][8:11]) == (1, 1, 32) and tuple(table[row][13:15]) == (6, 6), table[row]
EOF2

# What is refused: one message, the status, and nothing is written.
refused() { # STATUS WORDS ARGUMENTS...
  local status=$1 words=$2
  shift 2
  expect "$status" "$words" "$SRQ" export "$@"
  [ "$(grep -c '^srq: ' out)" = 1 ] || fail "not one message: $(cat out)"
  [ ! -e new.onnx ] && [ ! -e new.c ] && [ ! -e new.h ] && [ ! -e new.h5 ] || fail "export $* left something: $(ls new.*)"
}
mkdir -p empty readonly
refused 2 "lenet.c exists already" run-lenet --to c lenet.c
touch other.h
refused 2 "other.h exists already" run-lenet --to c other.c
[ ! -e other.c ] || fail "other.c was written beside a header that exists"
refused 2 "no format is called \"tflite\"" run-lenet --to tflite new.c
refused 2 "whose name ends with .c" run-lenet --to c new.txt
refused 2 "has no styles" run-lenet --to c new.c --style qdq
refused 2 "--to FORMAT is missing" run-lenet new.c
refused 2 "no option is called --nam (did you mean --name?)" run-lenet --to c new.c --nam x
refused 3 "this folder is empty" empty --to c new.c
refused 3 "none.h5" none.h5 --to c new.c
refused 3 "slice.h5" slice.h5 --to c new.c
refused 3 "none.h5: No such file" run-lenet --to h5 new.h5 --data none.h5
refused 4 "No such file or directory" run-lenet --to c absent/new.c
for to in onnx qonnx; do
  refused 2 "lenet.onnx exists already" run-lenet --to $to lenet.onnx
  refused 2 "whose name ends with .onnx" run-lenet --to $to new.h5
  refused 4 "No such file or directory" run-lenet --to $to absent/new.onnx
done
refused 2 "has no style \"fused\"; use integer, qdq or qdq-int2" run-lenet --to onnx new.onnx --style fused
if [ "$(id -u)" != 0 ]; then
  chmod a-w readonly
  refused 4 "Permission denied" run-lenet --to c readonly/new.c
fi
mv slice.h5 moved.h5
refused 3 "use --data FILE to name another" run-lenet --to c new.c
expect 0 "by-data.c" "$SRQ" export run-lenet --to c by-data.c --data moved.h5
expect 4 "there is no C compiler called no-such-compiler" env CC=no-such-compiler "$SRQ" export run-lenet --to c unchecked.c --data moved.h5 --check moved.h5
cmp -s lenet.h by-data.h && fail "two names in one header"
if mkdir small && mount -t tmpfs -o size=8k tmpfs small 2> /dev/null; then
  trap 'umount "$WORK/small"; rm -rf "$WORK"' EXIT
  for file in c:n.c h5:n.h5 onnx:n.onnx qonnx:n.onnx; do
    expect 4 "No space left on device" "$SRQ" export run-lenet --to ${file%:*} small/${file#*:} --data moved.h5
    [ -z "$(ls -A small)" ] || fail "a full disk leaves $(ls -A small)"
  done
fi
# Damaged files.
python3 - << 'EOF2'
data = bytearray(open("lenet.h5", "rb").read())
data[len(data) // 2] ^= 1
open("damaged.h5", "wb").write(data)
EOF2
for command in "inspect damaged.h5" "eval damaged.h5 --data moved.h5"; do
  # shellcheck disable=SC2086
  expect 3 "damaged.h5" "$SRQ" $command
done
finish
