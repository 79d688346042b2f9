#!/usr/bin/env bash
# srq inspect and srq diff: screens that fit a terminal, JSON that Python reads, tolerances, and hostile files.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
cd "$WORK" || exit 1
run() { # DIRECTORY SETTINGS...
  local dir=$1
  shift
  expect 0 "done: " "$SRQ" train lenet-run.cfg --out "$dir" --set train.max_steps=4 "$@"
}
run a --set quantizer.weight_bits=3
run b --set quantizer.weight_bits=3 --set train.seed=2
run channel --set quantizer.weight_bits=8 --set quantizer.granularity=channel --set dropbits.mode=learn

narrow() { # ARGUMENTS...: of inspect; the screen is in ./screen
  "$SRQ" inspect "$@" > screen 2> err || fail "inspect $*: $(cat err)"
  awk 'length($0) > 80 { exit 1 }' screen || fail "inspect $*: wider than 80 columns: $(awk 'length($0) > 80' screen)"
}
has() { grep -qE -- "$1" screen || fail "no line like \"$1\": $(cat screen)"; }

# A run: where it stands, layers, quantizers.
narrow a
has '^small-lenet, srq, step 4 of 4, test error [0-9.]+ %$'
has '^run    finished; checkpoint at 100.0 %$'
has '^kept   checkpoints of step'
has '^fc1 +dense +32x216 +3/2 +[0-9.]+ kB +6.912 k +'
has '^fc1 +srq +0\.[0-9]+ +0\.[0-9]+ +8/8 +[0-9.]+ % +0\.[0-9]+$'
cp -r a failed && printf '%s\n' '{"event": "stop", "step": 4, "reason": "a\u001b[2Jb", "status": 4}' '{"half' >> failed/log.jsonl
narrow failed
has '^run    failed \(a \[2Jb\); checkpoint at 100.0 %$'
narrow channel
has '^conv1 +srq +[0-9.e-]+\.\.[0-9.e-]+ +[0-9.e-]+\.\.[0-9.e-]+ +'
has '^       fc1 +3: 0\.[0-9]{3} .* 8: 0\.[0-9]{3}$'

# One tensor, by its whole name and without what may be left out.
for name in layers/fc1/weight /layers/fc1/weight fc1/weight; do
  narrow a "$name"
  has '^shape    \[32\]\[216\], float32, 6,912 numbers$'
done
has '^grid     srq, 3 bits, codes -4 to 3$'
[ "$(grep -cE '^ +-?[0-4] +[0-9,]+ +[0-9.]+ %' screen)" = 8 ] || fail "not a line for each of 8 codes: $(cat screen)"
has '^   clipped '
narrow channel fc1/weight
has '^-128\.\.-121 +'
has '^alpha    [0-9.]+\.\.[0-9.]+, one for each of 32 channels$'
narrow a optimizer/m/fc1/weight
[ "$(grep -c ' %' screen)" -ge 20 ] || fail "no histogram: $(cat screen)"
narrow a bits_history/step
narrow a fc1/weight_alpha
has '^value    0\.'
narrow a --tensors
has '^layers/conv1/weight +\[6\]\[1\]\[5\]\[5\] '
has '^config +- +text$'

# All of it as JSON.
for what in "" fc1/weight conv1/weight fc1/weight_alpha optimizer/v/fc2/bias --tensors; do
  for dir in a channel; do
    # shellcheck disable=SC2086
    "$SRQ" inspect $dir $what --json > "json-$dir-${what//\//.}" || fail "inspect $dir $what --json: status $?"
  done
done
python3 - json-* << 'EOF' || fail "inspect --json: not JSON"
import json, sys
for name in sys.argv[1:]:
    try: json.load(open(name), parse_constant=lambda x: 1 / 0)
    except Exception as e: sys.exit(f"{name}: {e}")
EOF
python3 - << 'EOF' || fail "inspect --json: wrong numbers"
import json
run, one, channel, listed = (json.load(open("json-" + n)) for n in ("a-", "a-fc1.weight", "channel-conv1.weight", "a---tensors"))
assert run["run"]["state"] == "finished" and run["run"]["checkpoints"] == [4] and len(run["data_sha256"]) == 64
assert one["shape"] == [32, 216] and one["count"] == 6912 and one["min"] < one["quantiles"]["0.50"] < one["max"]
g = one["grid"]
assert sum(g["counts"]) == 6912 and len(g["counts"]) == 8 and (g["smallest_code"], g["largest_code"]) == (-4, 3)
assert sum(g["distances"]) + g["clipped"] == 6912
layer = [l for l in run["layers"] if l["name"] == "fc1"][0]
assert sum(c > 0 for c in g["counts"]) == layer["codes_used"] and abs(g["counts"][4] / 6912 - layer["zeros"]) < 1e-8
assert g["alpha"] == [layer["alpha"]] and len(channel["grid"]["alpha"]) == 6
assert {t["name"] for t in listed["tensors"]} >= {"config", "bits_history/step", "layers/fc1/weight", "optimizer/v/fc1/weight"}
EOF

# Names that are not there.
expect 2 'no tensor is called "fc1/wieght"; did you mean layers/fc1/weight' "$SRQ" inspect a fc1/wieght
expect 2 '"fc2" is a group, not one tensor; it has layers/fc2/bias, layers/fc2/weight' "$SRQ" inspect a fc2
expect 2 '"layers/" is a group' "$SRQ" inspect a layers/
expect 2 'the name of a tensor is empty' "$SRQ" inspect a ""
expect 2 'no tensor is called "a/b/c/d/e/f/g/h/i/j/k"' "$SRQ" inspect a a/b/c/d/e/f/g/h/i/j/k
expect 2 'no tensor is called' "$SRQ" inspect a "$(printf 'x%.0s' $(seq 5000))"
expect 2 'config is not a tensor of numbers' "$SRQ" inspect a config
expect 2 'this is not expected: --tensor (did you mean --tensors?)' "$SRQ" inspect a --tensor
expect 2 'no checkpoint is named' "$SRQ" inspect --json
expect 2 'it has no average of weights (train.average)' "$SRQ" inspect a --trained
expect 2 'it has no average of weights (train.average)' "$SRQ" eval a --trained
expect 2 '--trained is for the tables of layers' "$SRQ" inspect a fc1/weight --trained
echo "not HDF5" > letter.txt
for command in "inspect slice.h5" "inspect slice.h5 fc1/weight" "inspect slice.h5 --tensors" "diff a slice.h5" "diff slice.h5 a"; do
  # shellcheck disable=SC2086
  expect 3 'slice.h5: its format is "srq-dataset", but a checkpoint' "$SRQ" $command
  # shellcheck disable=SC2086
  expect 3 'letter.txt: not a whole HDF5 file' "$SRQ" ${command//slice.h5/letter.txt}
done

# What differs, and how much.
expect 0 "equal: 53 tensors, " "$SRQ" diff a a
expect 0 "numbers, bit for bit" "$SRQ" diff a a
"$SRQ" diff a b > screen && fail "different seeds are equal"
awk 'length($0) > 80 { exit 1 }' screen || fail "diff: wider than 80 columns: $(cat screen)"
has '^tensor +differing +largest +relative +at$'
has '^layers/[a-z0-9/_]+ +[0-9]+ +[0-9.e-]+ +[0-9.e-]+ +\['
has '^\.\.\. and [0-9]+ more \(--all\)$'
has '^configurations: train.seed is 1 here and 2 there$'
has '^different: [0-9]+ of [0-9]+ tensors and attributes$'
[ "$("$SRQ" diff a b --all | grep -c '^optimizer/')" -gt 20 ] || fail "--all does not show all"
expect 1 "trained_bits of layers/fc1: 3 and 8" "$SRQ" diff a channel --all
expect 1 "layers/fc1/weight_gate_logits: only in the second" "$SRQ" diff a channel --all
expect 1 "layers/conv1/weight_alpha: scalar, float32 and [6], float32" "$SRQ" diff a channel --all
"$SRQ" diff a b --json > diff.json && fail "diff --json: status 0"
worst=$(python3 - << 'EOF'
import json
d = json.load(open("diff.json"), parse_constant=lambda x: 1 / 0)
n = [x for x in d["differences"] if x["what"] == "numbers"]
assert not d["equal"] and d["tolerance"] is None and n == sorted(n, key=lambda x: -x["relative"]) and len(n) > 30
assert all(x["largest"] == abs(x["first"] - x["second"]) and 0 < x["differing"] <= x["count"] for x in n)
print(max(x["largest"] for x in n), n[0]["relative"])
EOF
) || fail "diff --json: $(cat diff.json)"
# Just at the largest difference all is within the tolerance, just below it one tensor is not.
set -- $worst
expect 0 "tensors differ, by at most " "$SRQ" diff a b --tolerance "$1"
expect 0 "within $(printf %.3g "$2") of the tensor's largest magnitude" "$SRQ" diff a b --relative "$2"
expect 1 "different: 1 of" "$SRQ" diff a b --tolerance "$(python3 -c "print($1 * (1 - 1e-12))")"
expect 1 "different: 1 of" "$SRQ" diff a b --relative "$(python3 -c "print($2 * (1 - 1e-12))")"
expect 2 "--tolerance must be a number of 0 or more" "$SRQ" diff a b --tolerance -1
expect 2 "--relative must be a number of 0 or more" "$SRQ" diff a b --relative nan
expect 2 "a value is missing after --relative" "$SRQ" diff a b --relative
expect 2 "two checkpoints are needed" "$SRQ" diff a
expect 2 "this is not expected: c; usage" "$SRQ" diff a b c

# Files that no srq writes: numbers that are none, one bit changed, and groups that hold themselves.
/usr/bin/python3 -c 'import h5py' 2> /dev/null || finish
/usr/bin/python3 - << 'EOF' || fail "h5py cannot write checkpoints"
import h5py, numpy as np
def make(path, change):
    with h5py.File("a/last.h5") as a, h5py.File(path, "w") as b:
        def copy(x, y):
            for k, v in x.attrs.items():
                if k != "content_sha256": y.attrs[k] = v
            for k in x:
                if isinstance(x[k], h5py.Group): copy(x[k], y.create_group(k))
                else: y[k] = x[k][()]
        copy(a, b)
        b.attrs["version"] = np.int64(1)
        change(b)
def nan(f):
    f["layers/fc1/weight"][3, 7] = np.nan; f["layers/fc1/weight"][31, 215] = -np.inf; f["layers/fc1/bias"][...] = np.full(32, np.nan)
def bit(f): f["layers/conv1/weight"][5, 0, 4, 4] = np.nextafter(f["layers/conv1/weight"][5, 0, 4, 4], np.float32(9))
def loop(f): f["layers/fc1/again"] = f["layers"]
def grid(f): f["layers/fc1"].attrs["largest_code"] = np.int64(2) ** 40
def steps(f): del f["layers/fc1/weight_alpha"]; f["layers/fc1/weight_alpha"] = np.ones(7, np.float32)
def names(f): f["layers/fc1/a\x1b[2Jb"] = np.float32(1)
def empty(f): del f["layers/fc1/bias"]; f["layers/fc1/bias"] = np.zeros((0,), np.float32)
def wrong(f): f["bits_history/step"][0] = 2 ** 60 + 1
for c in nan, bit, loop, grid, steps, names, empty, wrong: make(c.__name__ + ".h5", c)
EOF
narrow nan.h5 fc1/weight
has '^finite   6,910; 1 NaN, 1 infinite$'
narrow nan.h5 fc1/bias
has '^finite   0; 32 NaN, 0 infinite$'
narrow nan.h5 --tensors
has '^layers/fc1/bias .* 32 bad$'
for what in fc1/weight fc1/bias --tensors; do
  "$SRQ" inspect nan.h5 $what --json > nan.json || fail "inspect nan.h5 $what --json"
  python3 -c 'import json; json.load(open("nan.json"), parse_constant=lambda x: 1 / 0)' || fail "not JSON: inspect nan.h5 $what --json"
done
expect 3 "layers/fc1/" "$SRQ" inspect nan.h5
expect 0 "bit for bit" "$SRQ" diff nan.h5 nan.h5
expect 1 "layers/fc1/bias[0]: " "$SRQ" diff a nan.h5 --tolerance 1e30
"$SRQ" diff a nan.h5 --json > nan.json
python3 - << 'EOF' || fail "diff --json with NaN: $(cat nan.json)"
import json
d = json.load(open("nan.json"), parse_constant=lambda x: 1 / 0)["differences"]
assert [(x["name"], x["differing"], x["largest"]) for x in d] == [("layers/fc1/bias", 32, None), ("layers/fc1/weight", 2, None)], d
EOF
expect 1 "layers/conv1/weight          1" "$SRQ" diff a bit.h5
expect 1 "[5][0][4][4]: " "$SRQ" diff a bit.h5
expect 0 "1 tensor differs" "$SRQ" diff a bit.h5 --relative 1e-6
expect 1 "bits_history/step" "$SRQ" diff a wrong.h5 --tolerance 1e30
expect 3 "is a group with two names" "$SRQ" inspect loop.h5 --tensors
expect 3 "is a group with two names" "$SRQ" diff a loop.h5
expect 3 "it is not a checkpoint: it has names that are" "$SRQ" inspect names.h5 fc1/weight
expect 3 "which is not a grid of at most 8 bits" "$SRQ" inspect grid.h5 fc1/weight
expect 3 "has 7 step sizes for 6912 weights" "$SRQ" inspect steps.h5 fc1/weight
expect 0 "shape    [0], float32, 0 numbers" "$SRQ" inspect empty.h5 fc1/bias
expect 1 "layers/fc1/bias: [32], float32 and [0], float32" "$SRQ" diff a empty.h5
finish
