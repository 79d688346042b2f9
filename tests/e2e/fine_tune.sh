#!/usr/bin/env bash
# Weights from elsewhere: a checkpoint of this or another network, and files of plain tensors as h5py writes them.
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py, numpy' 2> /dev/null || skip "python3-h5py is not installed"
make_data
make_configs
cd "$WORK" || exit 1
run="--set train.epochs=1 --set quantizer.weight_bits=4"
# shellcheck disable=SC2086
{
on_ranks 1 train inverted-run.cfg --out float --set quantizer.method=float32 > out 2>&1 || fail "float: $(tail -3 out)"

# Weights as they are, without a step: the error of the checkpoint they come from, and of a run of 0 steps.
"$SRQ" eval float --json > eval.json || fail "eval --json"
"$SRQ" eval inverted-run.cfg --set train.init=float --set quantizer.method=float32 --json > as-is.json 2> out || fail "eval of weights: $(cat out)"
"$SRQ" inspect float --json > inspect.json || fail "inspect --json"
on_ranks $FEW train inverted-run.cfg --out ptq --set train.epochs=0 --set train.init=float --set quantizer.weight_bits=8 --set quantizer.activation_bits=8 > out 2>&1 || fail "ptq: $(tail -3 out)"
"$SRQ" inspect ptq --json > ptq.json
on_ranks $FEW eval inverted-run.cfg --set train.init=float --set quantizer.weight_bits=8 --set quantizer.activation_bits=8 --json > quantized.json 2> out || fail "eval of quantized weights: $(cat out)"
# Batch-norm with momentum 0: its statistics stay those of the start.
sed 's/type = "batch_norm";/& momentum = 0;/' inverted.cfg > still.cfg
on_ranks 1 train inverted-run.cfg --out still --set model=still.cfg --set train.max_steps=3 --set train.init=float > out 2>&1 || fail "still: $(tail -3 out)"
/usr/bin/python3 - << 'EOF' || fail "evaluation of weights as they are, or statistics with momentum 0"
import json, h5py
checkpoint, as_is, inspected, ptq, quantized = (json.load(open(n + ".json")) for n in ("eval", "as-is", "inspect", "ptq", "quantized"))
assert checkpoint["test_error"] == as_is["test_error"] == inspected["test_error"] == 1 - (256 - as_is["test_wrong"]) / 256
assert abs(checkpoint["test_loss"] - as_is["test_loss"]) < 1e-6 and abs(inspected["test_loss"] - as_is["test_loss"]) < 1e-12
assert checkpoint["step"] == 36 and as_is["step"] == 0 and as_is["test_count"] == 256
assert ptq["step"] == 0 and ptq["test_error"] == quantized["test_error"] and abs(ptq["test_loss"] - quantized["test_loss"]) < 1e-12
before, after, ptq = (h5py.File(run + "/last.h5", "r")["layers"] for run in ("float", "still", "ptq"))
for name in ("running_mean", "running_variance"):
    assert (before["b1.bn1"][name][()] == after["b1.bn1"][name][()]).all() and (before["b1.bn1"][name][()] == ptq["b1.bn1"][name][()]).all()
assert (before["b1.bn1/scale"][()] != after["b1.bn1/scale"][()]).any()
EOF
expect 2 "--set needs a configuration" "$SRQ" eval float --set train.init=float
expect 0 "these are untrained weights" "$SRQ" eval inverted-run.cfg

# What a checkpoint holds, as other programs would write it.
/usr/bin/python3 - << 'EOF' || fail "writing files of tensors"
import h5py, numpy as np
source = h5py.File("float/last.h5", "r")["layers"]
torch = {"scale": "weight", "shift": "bias", "running_mean": "running_mean", "running_variance": "running_var"}
tensors = {(layer, name): group[name][()] for layer, group in source.items() for name in group}
is_norm = {layer: "scale" in group for layer, group in source.items()}
with h5py.File("flat.h5", "w") as f:           # a state_dict, name by name, in double precision
    for (layer, name), value in tensors.items():
        f[layer + "." + (torch[name] if is_norm[layer] else name)] = value.astype(np.float64)
        if is_norm[layer]: f.require_dataset(layer + ".num_batches_tracked", (), np.int64)
with h5py.File("nested.h5", "w") as f:         # groups all the way down, compressed
    for (layer, name), value in tensors.items():
        f.create_dataset(layer.replace(".", "/") + "/" + name, data=value, compression="gzip" if value.ndim else None)
def changed(path, change):
    with h5py.File("flat.h5", "r") as a, h5py.File(path, "w") as b:
        for name in a: a.copy(name, b)
        change(b)
def without(f): del f["fc.bias"]
def reshaped(f): del f["fc.weight"]; f["fc.weight"] = np.zeros((5, 144), np.float32)
def more(f): f["head.weight"] = np.zeros((2, 3), np.float32)
def several(f): without(f); reshaped(f); more(f)
def infinite(f): f["fc.bias"][3] = np.inf
def negative(f): f["first.bn.running_var"][0] = -1
def integers(f): del f["fc.bias"]; f["fc.bias"] = np.zeros(10, np.int32)
def renamed(f):
    for name in list(f): f.move(name, "model_" + name)
for change in (without, reshaped, more, several, infinite, negative, integers, renamed): changed(change.__name__ + ".h5", change)
h5py.File("nothing.h5", "w").close()
EOF

# The same weights, however they come: the same run. A quantized network starts from a float32 one.
on_ranks 2 train inverted-run.cfg --out from-checkpoint --set train.init=float $run > out 2>&1 || fail "from-checkpoint: $(tail -3 out)"
grep -qF "train.init: $WORK/float/last.h5: 37 of 37 tensors of the network read" out || fail "no line about what was taken: $(cat out)"
[ "$(grep -c 'train.init' out)" = 1 ] || fail "more than rank 0 speaks: $(cat out)"
grep -q '^  taken' out && fail "a list where all fits: $(cat out)"
for file in flat nested; do
  on_ranks 1 train inverted-run.cfg --out from-$file --set train.init=$file.h5 $run > out 2>&1 || fail "from-$file: $(tail -3 out)"
  same_bits from-checkpoint from-$file
done
on_ranks 1 train inverted-run.cfg --out from-random $run > out 2>&1 || fail "from-random: $(tail -3 out)"
expect 1 "different: " "$SRQ" diff from-checkpoint from-random
# A directory that has its configuration but no checkpoint yet begins again.
cp -r from-flat again && rm again/last.h5 again/checkpoints/*
on_ranks 1 train inverted-run.cfg --out again --resume auto --set train.init=flat.h5 $run > out 2>&1 || fail "again: $(tail -3 out)"
same_bits from-checkpoint again

# What does not fit is refused, with a list; nothing is made.
refused() { # WORDS FILE SETTINGS...
  local words=$1 file=$2
  shift 2
  everywhere 3 "$words" train inverted-run.cfg --out r --set train.init="$file" "$@"
  [ ! -e r ] || fail "$file: a refused run left a folder"
}
refused "without.h5: it belongs to another network: 36 of 37 tensors fit; missing in the file: fc/bias; use train.init_match = \"partial\"" without.h5
grep -qF "  missing   fc/bias [10]: not in the file" out || fail "missing is not listed: $(cat out)"
grep -qF "  taken     first.bn/scale [6]" out || fail "taken is not listed: $(cat out)"
refused "reshaped.h5: it belongs to another network: 36 of 37 tensors fit; of another shape: fc/weight;" reshaped.h5
grep -qF "  differs   fc/weight is [10][144] here, and in the file [5][144]" out || fail "the shape is not listed: $(cat out)"
refused "more.h5: it belongs to another network: 37 of 37 tensors fit; not used from the file: head.weight;" more.h5
grep -qF "  not used  head.weight [2][3]: in the file only" out || fail "not used is not listed: $(cat out)"
refused "35 of 37 tensors fit; missing in the file: fc/bias; of another shape: fc/weight; not used from the file: head.weight;" several.h5
refused "integers.h5: it belongs to another network" integers.h5
grep -qF "  differs   fc/bias is [10] here, and in the file not of type float" out || fail "integers are not listed: $(cat out)"
refused "infinite.h5: data set /fc.bias: element 3 is inf, but it must be finite" infinite.h5
refused "negative.h5: data set /first.bn.running_var: element 0 is -1, but it must be finite and not below 0" negative.h5
for match in all partial; do
  refused "renamed.h5: none of its tensors fits the network by name and shape" renamed.h5 --set train.init_match=$match
  refused "nothing.h5: none of its tensors fits the network by name and shape: the file has no tensors" nothing.h5 --set train.init_match=$match
done
refused "its format is \"srq-dataset\", but a checkpoint or a file of tensors is expected" slice.h5
head -c 3000 flat.h5 > cut.h5
refused "cut.h5: not a whole HDF5 file" cut.h5
refused "none.h5: No such file" none.h5

# Partial on request: the list says what was taken, and the rest starts as it would.
still="--set train.max_steps=1 --set optimizer.learning_rate=0 --set quantizer.method=float32"
on_ranks $FEW train inverted-run.cfg --out some --set train.init=several.h5 --set train.init_match=partial $still > out 2>&1 || fail "partial: $(tail -3 out)"
grep -qF "train.init: $WORK/several.h5: 35 of 37 tensors of the network read:" out || fail "no list: $(cat out)"
[ "$(grep -c '^  taken ' out)" = 35 ] || fail "the list is not whole: $(cat out)"
on_ranks 1 train inverted-run.cfg --out none $still > out 2>&1 || fail "none: $(tail -3 out)"
/usr/bin/python3 - << 'EOF' || fail "partial weights are not those of the file and of a fresh start"
import h5py, numpy as np
some, fresh = (h5py.File(run + "/last.h5", "r")["layers"] for run in ("some", "none"))
file = h5py.File("several.h5", "r")
assert (some["b2.inner.depthwise/weight"][()] == file["b2.inner.depthwise.weight"][()].astype(np.float32)).all()
assert (some["first.bn/scale"][()] == file["first.bn.weight"][()].astype(np.float32)).all()
for name in ("fc/weight", "fc/bias"): assert (some[name][()] == fresh[name][()]).all(), name
EOF
}
finish
