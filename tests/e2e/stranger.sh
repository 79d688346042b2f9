#!/usr/bin/env bash
# A stranger reads what srq writes: h5py alone checks a checkpoint against docs/checkpoint-format.md and its digest,
# rebuilds the integer weights and runs the network to the same answers; and makes golden cases that srq reads.
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
"$python" -c 'import h5py, numpy' 2> /dev/null || skip "python3-h5py is not installed"
make_data
make_configs
stranger() { "$python" "$SOURCE/tests/e2e/stranger.py" "$@" > "$WORK/stranger" 2>&1; }
try() { # NAME SETTINGS...
  local name=$1
  shift
  on_ranks $FEW train "$WORK/lenet-run.cfg" --out "$WORK/$name" "$@" > "$WORK/out" 2>&1 || fail "$name: $(tail -3 "$WORK/out")"
  stranger "$WORK/$name/last.h5" "$WORK/slice.h5" || fail "$name: $(tail -3 "$WORK/stranger")"
  "$SRQ" eval "$WORK/$name" > "$WORK/eval" || fail "$name: eval"
  # The same number of wrong answers on both sides, or nearly: see stranger.py.
  awk 'NR == FNR { wrong = $1; next } { gsub(/[(]/, "", $5); d = wrong - $5; exit !(d <= 2 && d >= -2) }' "$WORK/stranger" "$WORK/eval" ||
    fail "$name: $(cat "$WORK/stranger" "$WORK/eval")"
}
if [ "${SANITIZED:-OFF}" = ON ]; then
  try whole --set quantizer.weight_bits=3 --set train.average=0.9
else
  # LeNet-5 as it is, two epochs of a small part of its data.
  try whole --set "model=$SOURCE/experiments/models/lenet5.cfg" --set optimizer.learning_rate=3e-3 --set train.average=0.9
  try channel --set quantizer.weight_bits=3 --set quantizer.activation_bits=4 --set quantizer.granularity=channel
  try learned --set quantizer.weight_bits=5 --set dropbits.mode=learn --set optimizer.method=sgd
fi
checkpoint=$(readlink -f "$WORK/whole/last.h5")

# The module for Python reads these runs, and one with pruned weights.
reader() { "$python" "$SOURCE/tests/e2e/read_runs.py" "$@" > "$WORK/out" 2>&1 || fail "srq.py: $(tail -3 "$WORK/out")"; }
runs=("$WORK/whole") small=$WORK/whole
[ "${SANITIZED:-OFF}" = ON ] || runs+=("$WORK/channel" "$WORK/learned") small=$WORK/learned
reader --masks "$WORK/masks.h5" "$small"
"$SRQ" train "$WORK/lenet-run.cfg" --out "$WORK/masked" --set "train.masks=$WORK/masks.h5" > "$WORK/out" 2>&1 ||
  fail "masked: $(tail -3 "$WORK/out")"
reader "$SRQ" "${runs[@]}" "$WORK/masked"

# What is not as it was written is refused everywhere, by one message; and a file that somebody has changed on purpose is
# taken again with the digest that the document describes.
"$python" - "$checkpoint" "$WORK" << 'EOF' || fail "changed checkpoints cannot be made"
import sys, shutil, h5py
def changed(name, change):
    path = f"{sys.argv[2]}/{name}.h5"
    shutil.copy(sys.argv[1], path)
    with h5py.File(path, "r+") as f: change(f)
def scalar(f): f["layers/fc2/weight_alpha"][()] = f["layers/fc2/weight_alpha"][()] * 1.5
def number(f): f["optimizer/m/fc1/weight"][0] = 1
def attribute(f): f["layers/fc2"].attrs.modify("largest_code", 9)
def added(f): f["notes"] = "mine"
def older(f): del f["input"]
def removed(f): del f["optimizer/v/fc1/weight"]
def undigested(f): del f.attrs["content_sha256"]
def downgraded(f): f.attrs.modify("version", 1)
def linked(f): f["layers/other"] = h5py.ExternalLink("/nowhere.h5", "/x")
def first(f): downgraded(f); undigested(f)
def third(f): f.attrs.modify("version", 3)
for change in scalar, number, attribute, added, older, removed, undigested, downgraded, linked, first, third: changed(change.__name__, change)
EOF
for name in scalar number attribute added removed downgraded; do
  expect 3 "$name.h5: its content does not match its digest" "$SRQ" inspect "$WORK/$name.h5"
done
expect 3 "/layers/other is a link to another place" "$SRQ" inspect "$WORK/linked.h5"
expect 3 "undigested.h5: it has no digest" "$SRQ" inspect "$WORK/undigested.h5"
expect 3 "third.h5: version 3 of the format srq-checkpoint, but this srq reads versions 1 to 2" "$SRQ" inspect "$WORK/third.h5"
for command in "eval $WORK/number.h5" "diff $checkpoint $WORK/number.h5" "diff $WORK/number.h5 $checkpoint" \
  "train $WORK/whole/config.cfg --out $WORK/r --resume $WORK/number.h5" \
  "train $WORK/whole/config.cfg --out $WORK/r --set train.init=$WORK/number.h5"; do
  # shellcheck disable=SC2086
  expect 3 "number.h5: its content does not match its digest" "$SRQ" $command
done
[ ! -e "$WORK/r" ] || fail "a refused run left a folder"
# Version 1 had no digest: it is read as it is.
expect 0 "equal: " "$SRQ" diff "$checkpoint" "$WORK/first.h5"
for name in added older; do
  "$python" -c 'import sys, h5py
h5py.File(sys.argv[1], "r+").attrs.modify("content_sha256", sys.argv[2])' "$WORK/$name.h5" "$("$python" "$SOURCE/tests/e2e/stranger.py" --digest "$WORK/$name.h5")"
  expect 0 "equal: " "$SRQ" diff "$checkpoint" "$WORK/$name.h5"
done
# Earlier versions kept no mean and standard deviation: those of the data set are used, and said if it is another one.
expect 0 "input  (pixel / 255 - mean) / std of the data set" "$SRQ" inspect "$WORK/older.h5"
"$python" - "$WORK/slice.h5" "$WORK/bright.h5" << 'EOF' || fail "a brighter data set cannot be made"
import sys, shutil, h5py
shutil.copy(sys.argv[1], sys.argv[2])
with h5py.File(sys.argv[2], "r+") as f:
    f["mean"][:] += 0.25
    f.attrs.modify("source_sha256", "0" * 64)
EOF
"$SRQ" predict "$checkpoint" "$WORK/slice.h5" --csv --logits > "$WORK/right.csv" && "$SRQ" predict "$checkpoint" "$WORK/bright.h5" --csv --logits > "$WORK/kept.csv" ||
  fail "predictions on a data set with another mean"
cmp -s "$WORK/right.csv" "$WORK/kept.csv" || fail "predictions depend on the mean of the data set"
expect 0 "older.h5, of an earlier version of srq, has no mean and standard deviation of its training images; those of $WORK/bright.h5 are used" \
  "$SRQ" predict "$WORK/older.h5" "$WORK/bright.h5" --csv --logits
grep -vF 'srq: note' "$WORK/out" | cmp -s - "$WORK/right.csv" && fail "the mean of the data set does not count for an older checkpoint"
expect 0 '"normalization": "data"' "$SRQ" eval "$WORK/older.h5" --data "$WORK/bright.h5" --json

# The digest is right, but the content breaks a promise of the format: every command refuses it and names the place.
cat > "$WORK/broken.py" << 'EOF'
import sys, shutil, h5py, numpy as np
sys.path.insert(0, sys.argv[3])
import stranger
def put(place, value):
    def change(f):
        kept = dict(f[place].attrs)
        del f[place]
        f[place] = value
        for name, v in kept.items(): f[place].attrs[name] = v
    return change
def attribute(place, name, value): return lambda f: f[place].attrs.__setitem__(name, value)
def element(place, value):
    def change(f): f[place][(0,) * f[place].ndim] = value
    return change
def double(f): put("layers/fc1/weight", f["layers/fc1/weight"][()].astype("f8"))(f)
def history(name, value): return lambda f: put(f"bits_history/{name}", np.full(f[f"bits_history/{name}"].shape, value))(f)
def best(step=1, error=0.5, loss=1.0, since=0):
    values = {"best_step": np.int64(step), "best_validation_error": np.float64(error), "best_validation_loss": np.float64(loss),
              "evaluations_since_best": np.int64(since)}
    return lambda f: [attribute("/", name, value)(f) for name, value in values.items()]
CASES = {
    "bits": (attribute("layers/fc2", "bits", np.int64(0)), "attribute bits of layers/fc2 is 0"),
    "long": (attribute("layers/fc2", "bits", np.int64(2**32 + 2)), "attribute bits of layers/fc2 is 4294967298"),
    "trained": (attribute("layers/fc2", "trained_bits", np.int64(200)), "attribute trained_bits of layers/fc2 is 200"),
    "codes": (attribute("layers/fc2", "smallest_code", np.int64(100)), "attribute smallest_code of layers/fc2 is 100"),
    "type": (attribute("layers/fc2", "type", np.bytes_("conv")), 'attribute type of layers/fc2 is "conv"'),
    "method": (attribute("layers/fc2", "quantizer", np.bytes_("lsq")), 'attribute quantizer of layers/fc2 is "lsq"'),
    "index": (attribute("layers/fc2", "index", np.int64(0)), "attribute index of layers/fc2 is 0"),
    "double": (double, "data set layers/fc1/weight is of type float64, but float32 is expected"),
    "nan": (element("layers/fc1/weight", np.nan), "data set layers/fc1/weight: element 0 is nan"),
    "tiny": (put("layers/fc2/weight_alpha", np.float32(1e-45)), "data set layers/fc2/weight_alpha: element 0 is 1.4"),
    "negative": (put("layers/fc2/weight_alpha", np.float32(-1)), "data set layers/fc2/weight_alpha: element 0 is -1"),
    "std": (element("input/std", np.float32(0)), "data sets input/mean and input/std: element 0 is 0."),
    "channels": (put("input/mean", np.zeros(3, "f4")), "input/mean"),
    "error": (attribute("/", "test_error", np.float64(7.5)), "attributes test_error, test_loss and test_count are 7.5"),
    "no-error": (attribute("/", "test_error", np.float64("nan")), "attributes test_error, test_loss and test_count are nan"),
    "best-later": (best(step=10**6), "attributes best_step, best_validation_error"),
    "best-error": (best(error=1.5), "attributes best_step, best_validation_error"),
    "best-loss": (best(loss=np.nan), "attributes best_step, best_validation_error"),
    "best-since": (best(since=10**6), "attributes best_step, best_validation_error"),
    "valid": (lambda f: [attribute("/", f"validation_{n}", v)(f) for n, v in (("error", np.float64(2)), ("loss", np.float64(1)), ("count", np.int64(9)))],
              "attributes validation_error, validation_loss and validation_count are 2"),
    "count": (attribute("/", "test_count", np.int64(-1)), "test_count are"),
    "step": (attribute("/", "step", np.int64(-5)), "attribute step is -5"),
    "entry": (history("bits", np.int64(99)), "entry 0 of bits_history"),
    "late": (history("step", np.int64(10**9)), "entry 0 of bits_history"),
    "squares": (element("optimizer/v/fc1/weight", np.float32(-1)), "data set optimizer/v/fc1/weight: element 0 is -1"),
    "decay": (attribute("/", "average", np.float64(1)), "attribute average is 1"),
    "halved": (lambda f: f.__delitem__("trained/fc1/bias"), "trained/fc1/bias"),
    "wild": (element("trained/fc1/weight", np.nan), "data set trained/fc1/weight: element 0 is nan"),
    "steps": (attribute("optimizer", "steps", np.int64(2**63 - 1)), "attribute steps of optimizer is 9223372036854775807"),
}
for name, (change, words) in CASES.items():
    path = f"{sys.argv[2]}/broken-{name}.h5"
    shutil.copy(sys.argv[1], path)
    with h5py.File(path, "r+") as f:
        change(f)
        f.attrs["content_sha256"] = np.bytes_(stranger.content_digest(f))
    print(f"{path}\t{words}")
EOF
"$python" "$WORK/broken.py" "$checkpoint" "$WORK" "$SOURCE/tests/e2e" > "$WORK/broken" || fail "broken checkpoints cannot be made"
[ "$(wc -l < "$WORK/broken")" = 29 ] || fail "$(wc -l < "$WORK/broken") broken checkpoints"
while IFS=$'\t' read -r file words; do
  case $file in
    *-squares.h5 | *-steps.h5 | *-decay.h5 | *-halved.h5 | *-wild.h5) # the state of training is read to resume
      expect 3 "$words" "$SRQ" train "$WORK/whole/config.cfg" --out "$WORK/r" --resume "$file" ;;
    *) expect 3 "$words" "$SRQ" inspect "$file" ;;
  esac
  case $file in *-entry.h5 | *-error.h5) expect 3 "$words" "$SRQ" eval "$file" ;; esac
done < "$WORK/broken"

[ "${SANITIZED:-OFF}" = ON ] || reader --files "$WORK" "$SOURCE/experiments/results/lenet5-mnist-logs.tar.xz"

# Golden cases that others make: a level that is shut above a fractional one leaves the answers of the smaller grid,
# and what the file says of the shut gate's own gradient does not count.
"$python" - "$SOURCE/tests/golden/quantizers.h5" "$WORK/golden.h5" "$WORK/wrong.h5" << 'EOF' || fail "golden cases cannot be made"
import sys, h5py
with h5py.File(sys.argv[1]) as source:
    for path, error in (sys.argv[2], 0), (sys.argv[3], 0.01):
        with h5py.File(path, "w") as made:
            for key, value in source.attrs.items(): made.attrs[key] = value
            for name, case in source.items():
                if "grad_mask" not in case or case.attrs["bits"] != 3: continue
                source.copy(name, made)
                gates, gradient = case["mask"][:].tolist() + [0], case["grad_mask"][:].tolist() + [123]
                gradient[0] *= 1 + error
                made[name].attrs["bits"] = 4
                del made[name]["mask"], made[name]["grad_mask"]
                made[name].create_dataset("mask", data=gates, dtype="f4")
                made[name]["grad_mask"] = gradient
            assert len(made) == 2
EOF
expect 0 "ok" "$SRQ" check golden "$WORK/golden.h5"
expect 1 "TOO LARGE" "$SRQ" check golden "$WORK/wrong.h5"
finish
