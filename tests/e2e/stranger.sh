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
  on_ranks 2 train "$WORK/lenet-run.cfg" --out "$WORK/$name" "$@" > "$WORK/out" 2>&1 || fail "$name: $(tail -3 "$WORK/out")"
  stranger "$WORK/$name/last.h5" "$WORK/slice.h5" || fail "$name: $(tail -3 "$WORK/stranger")"
  "$SRQ" eval "$WORK/$name" > "$WORK/eval" || fail "$name: eval"
  # The same number of wrong answers on both sides, or nearly: see stranger.py.
  awk 'NR == FNR { wrong = $1; next } { gsub(/[(]/, "", $5); d = wrong - $5; exit !(d <= 2 && d >= -2) }' "$WORK/stranger" "$WORK/eval" ||
    fail "$name: $(cat "$WORK/stranger" "$WORK/eval")"
}
if [ "${SANITIZED:-OFF}" = ON ]; then
  try whole --set quantizer.weight_bits=3
else
  # LeNet-5 as it is, two epochs of a small part of its data.
  try whole --set "model=$SOURCE/experiments/models/lenet5.cfg" --set optimizer.learning_rate=3e-3
  try channel --set quantizer.weight_bits=3 --set quantizer.activation_bits=4 --set quantizer.granularity=channel
  try learned --set quantizer.weight_bits=5 --set dropbits.mode=learn --set optimizer.method=sgd
fi
checkpoint=$(readlink -f "$WORK/whole/last.h5")

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
def removed(f): del f["optimizer/v/fc1/weight"]
def undigested(f): del f.attrs["content_sha256"]
def downgraded(f): f.attrs.modify("version", 1)
def linked(f): f["layers/other"] = h5py.ExternalLink("/nowhere.h5", "/x")
def first(f): downgraded(f); undigested(f)
def third(f): f.attrs.modify("version", 3)
for change in scalar, number, attribute, added, removed, undigested, downgraded, linked, first, third: changed(change.__name__, change)
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
"$python" -c 'import sys, h5py
h5py.File(sys.argv[1], "r+").attrs.modify("content_sha256", sys.argv[2])' "$WORK/added.h5" "$("$python" "$SOURCE/tests/e2e/stranger.py" --digest "$WORK/added.h5")"
expect 0 "equal: " "$SRQ" diff "$checkpoint" "$WORK/added.h5"

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
