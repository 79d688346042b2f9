#!/usr/bin/env bash
# One bright image among dark ones, and weights by which that one alone overflows: an infinity in one shard of one step
# of each epoch. It ends training (train.nonfinite = "stop"), or the step is skipped on all ranks.
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py, numpy' 2> /dev/null || skip "python3-h5py is not installed"
all_ranks="1 2 4"
[ "${SANITIZED:-OFF}" = ON ] && all_ranks="1 3"
mkdir "$WORK/images"
/usr/bin/python3 - "$WORK" << 'END' || fail "cannot make the data"
import struct, sys, h5py, numpy as np
work = sys.argv[1]
def idx(name, array):
    with open(f"{work}/images/{name}", "wb") as out:
        out.write(struct.pack(">HBB" + "I" * array.ndim, 0, 8, array.ndim, *array.shape) + array.tobytes())
pixel = np.arange(128 * 64, dtype=np.uint32).reshape(128, 8, 8) * 7 % 3
images = pixel.astype(np.uint8)
labels = (np.arange(128) % 10).astype(np.uint8)
idx("t10k-images-idx3-ubyte", images[:16]), idx("t10k-labels-idx1-ubyte", labels[:16])
images[77] = 255
idx("train-images-idx3-ubyte", images), idx("train-labels-idx1-ubyte", labels)
weights = np.full((10, 64), 1e36, np.float32)
with h5py.File(f"{work}/init.h5", "w") as f: f["large/weight"] = weights
END
"$SRQ" data import "$WORK/images" "$WORK/bright.h5" > "$WORK/out" 2>&1 || fail "import: $(cat "$WORK/out")"
# The branch with batch-norm is finite throughout: its statistics show whether a bad step left a trace.
cat > "$WORK/run.cfg" << END
model = {
  name = "branches"; input = { height = 8; width = 8; channels = 1; };
  layers = (
    { name = "large"; type = "dense"; out = 10; inputs = ["input"]; },
    { name = "conv"; type = "conv"; out = 4; kernel = 3; inputs = ["input"]; bias = false; },
    { name = "bn"; type = "batch_norm"; }, { name = "relu"; type = "relu"; },
    { name = "fc"; type = "dense"; out = 10; },
    { name = "sum"; type = "add"; inputs = ["large", "fc"]; } );
};
data = { file = "bright.h5"; };
train = { batch = 16; shards = 4; epochs = 3; init = "init.h5"; init_match = "partial"; eval_every = 0; keep = 100;
          checkpoint_every = "1it"; log_every = "4it"; };
optimizer = { method = "adam"; };
quantizer = { method = "float32"; };
END

# stop: the message says where and when, the same on any number of ranks.
for ranks in 1 3; do
  expect 4 'layer "sum" produces an infinity or NaN in shard' on_ranks $ranks train "$WORK/run.cfg" --out "$WORK/stop-$ranks"
  grep '^srq: ' "$WORK/out" > "$WORK/message-$ranks"
  [ "$(wc -l < "$WORK/message-$ranks")" = 1 ] || fail "not one message on $ranks ranks: $(cat "$WORK/out")"
done
cmp -s "$WORK/message-1" "$WORK/message-3" || fail "another message on 3 ranks: $(cat "$WORK"/message-*)"

# skip: the same bits on any number of ranks, one step of each epoch skipped.
for ranks in $all_ranks; do
  on_ranks $ranks train "$WORK/run.cfg" --out "$WORK/skip-$ranks" --set train.nonfinite=skip > "$WORK/log" 2>&1 || fail "skip on $ranks ranks: $(tail -3 "$WORK/log")"
  [ $ranks = 1 ] || same_bits "$WORK/skip-1" "$WORK/skip-$ranks"
  [ "$(grep -c '"event": "skip"' "$WORK/skip-$ranks/log.jsonl")" = 3 ] || fail "not 3 skips: $(grep skip "$WORK/skip-$ranks/log.jsonl")"
done
# A skipped step has no effect, and other steps do; the counts are in the checkpoint.
/usr/bin/python3 - "$WORK/skip-1" << 'END' || fail "a skipped step left something behind"
import h5py, json, sys, numpy as np
run = sys.argv[1]
def tensors(step):
    found = {}
    with h5py.File(f"{run}/checkpoints/{step:08d}.h5") as f:
        f.visititems(lambda name, o: found.update({name: o[()]}) if isinstance(o, h5py.Dataset) and name.split("/")[0] in ("layers", "optimizer") else None)
        return found, f["optimizer"].attrs["steps"], f.attrs.get("skipped_steps", 0)
skips = [json.loads(line)["step"] for line in open(f"{run}/log.jsonl") if '"skip"' in line]
assert len(skips) == 3 and skips[0] >= 1, skips
for step in range(1, 24):
    before, steps, count = tensors(step)
    after, steps_after, count_after = tensors(step + 1)
    same = all(np.array_equal(before[name], after[name]) for name in before)
    skipped = step in skips
    assert same == skipped and steps_after == steps + (not skipped) and count_after == count + skipped, (step, same, steps, steps_after)
END

# Resumed right before and right after a skipped step.
step=$(grep '"skip"' "$WORK/skip-1/log.jsonl" | sed -n '2s/.*"step": \([0-9]*\),.*/\1/p')
for last in "$step" $((step + 1)); do
  cp -r "$WORK/skip-1" "$WORK/resumed-$last"
  for file in "$WORK/resumed-$last/checkpoints/"*.h5; do
    number=$(basename "$file" .h5)
    [ $((10#$number)) -le "$last" ] || rm "$file"
  done
  on_ranks 3 train "$WORK/run.cfg" --out "$WORK/resumed-$last" --set train.nonfinite=skip --resume auto > "$WORK/log" 2>&1 || fail "resumed: $(tail -3 "$WORK/log")"
  grep -q "resuming from step $last" "$WORK/log" || fail "does not resume from $last: $(cat "$WORK/log")"
  same_bits "$WORK/skip-1" "$WORK/resumed-$last"
done

[ "${SANITIZED:-OFF}" = ON ] && finish
# If every step is skipped, training ends: the bright image is in every batch.
expect 4 "100 steps in a row" on_ranks 2 train "$WORK/run.cfg" --out "$WORK/endless" --set train.nonfinite=skip --set train.batch=128 --set train.epochs=200 --set train.checkpoint_every=40it
[ "$(readlink "$WORK/endless/last.h5")" = checkpoints/00000080.h5 ] || fail "another last checkpoint: $(readlink "$WORK/endless/last.h5")"
expect 4 "step 99: " "$SRQ" train "$WORK/run.cfg" --out "$WORK/endless" --set train.nonfinite=skip --set train.batch=128 --set train.epochs=200 --set train.checkpoint_every=40it --resume auto
finish
