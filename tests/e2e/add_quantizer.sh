#!/usr/bin/env bash
# docs/adding-a-quantizer.md: its methods are built as the page says, from one file and one line each. The new program
# lists, trains, inspects and times them, and what it writes has the values that the page says.
LIGHT_LIBRARIES= # cmake needs the real libcurl
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/extend_lib.sh"
page=$SOURCE/docs/adding-a-quantizer.md
make_data
make_configs

copy_tree
for method in pact pot; do
  take_block "$page" "\`core/quant/$method.c\`" > "$TREE/core/quant/$method.c" || fail "no file for $method"
done
take_block "$page" 'The line at the end of `core/quant/methods.def`' >> "$TREE/core/quant/methods.def" || fail "no line for pact"
take_block "$page" 'The line in `core/quant/methods.def` for it' >> "$TREE/core/quant/methods.def" || fail "no line for pot"
# One file and one line a method, and nothing else.
found=$(for folder in core dist io experiments/srq; do diff -rq "$SOURCE/$folder" "$TREE/$folder"; done | sed "s|$SOURCE/||g; s|$TREE/||g; s|$SOURCE|the sources|; s|$TREE|the copy|")
[ "$found" = "Files core/quant/methods.def and core/quant/methods.def differ
Only in core/quant: pact.c
Only in core/quant: pot.c" ] || fail "more than the page says has changed: $found"
[ "$(diff "$SOURCE/core/quant/methods.def" "$TREE/core/quant/methods.def" | grep -c '^[<>]')" = 2 ] || fail "not one line for each method"
if command -v clang-format > /dev/null; then
  clang-format --dry-run -Werror --style="file:$SOURCE/.clang-format" "$TREE"/core/quant/{pact,pot}.c || fail "the code on the page is not formatted"
fi
build_extended || finish
old=$SRQ
SRQ=$EXTENDED
cd "$WORK" || exit 1

# Lists and messages.
expect 0 "  pact      clipping at a learned level (arXiv 1805.06085)" "$SRQ" help methods
expect 0 "its grid is not evenly spaced" "$SRQ" help methods
expect 0 "text: srq, lsq, ste, rq, rq_st, pact, pot, float32" "$SRQ" help configuration
expect 2 'but must be one of srq|lsq|ste|rq|rq_st|pact|pot|float32; did you mean "pact"?' "$SRQ" train lenet-run.cfg --out r --set quantizer.method=pakt
expect 2 'quantizer.method is "pact", but must be one of srq|lsq|ste|rq|rq_st|float32' "$old" train lenet-run.cfg --out r --set quantizer.method=pact
expect 2 'no weights are quantized by srq' "$SRQ" train lenet-run.cfg --out r --set quantizer.method=pact --set dropbits.mode=learn

# Training, to the same bits on any number of ranks.
for method in pact pot; do
  sets=(--set "quantizer.method=$method" --set quantizer.weight_bits="4 until 20it, then 3" --set quantizer.activation_bits=4
    --set quantizer.granularity=channel --set optimizer.learning_rate=5e-3)
  for ranks in 1 3; do
    on_ranks $ranks train lenet-run.cfg --out $method-$ranks "${sets[@]}" > log 2>&1 || fail "$method on $ranks ranks: $(tail -3 log)"
    grep -q "changes nothing" log && fail "$method: a setting that acts is said to have no effect: $(cat log)"
  done
  same_bits $method-1 $method-3
  python3 - $method-1/log.jsonl << 'END' || fail "$method: the loss does not fall"
import json, math, sys
losses = [e["loss"] for e in map(json.loads, open(sys.argv[1])) if e["event"] == "step"]
assert len(losses) > 5 and all(map(math.isfinite, losses)), losses
assert sum(losses[-3:]) < 0.8 * sum(losses[:3]), losses
END
done

# What does not act under it is said to have no effect, whatever the number of methods.
"$SRQ" train lenet-run.cfg --out notes --set quantizer.method=pact --set train.max_steps=1 --set quantizer.sigma_ratio=0.5 \
  --set quantizer.estimator=argmax --set quantizer.local_grid=2 --set optimizer.sigma_learning_rate=1e-2 --set quantizer.weight_bits=3 > log 2>&1 || fail "notes: $(cat log)"
[ "$(grep -c 'changes nothing' log)" = 4 ] || fail "not four notes: $(cat log)"
for words in 'quantizer.sigma_ratio=0.5 changes nothing: it acts only if quantizer.method is "srq" or "rq" or "rq_st", but that is "pact"' \
  'quantizer.estimator=argmax changes nothing: it acts only if quantizer.method is "srq", but that is "pact"' \
  'optimizer.sigma_learning_rate=1e-2 changes nothing: it acts only if quantizer.method is "srq" or "rq" or "rq_st"'; do
  grep -qF "$words" log || fail "no note \"$words\": $(cat log)"
done
"$SRQ" train lenet-run.cfg --out notes32 --set quantizer.method=float32 --set train.max_steps=1 --set quantizer.weight_bits=3 > log 2>&1
grep -qF 'it acts only if quantizer.method is "srq" or "lsq" or "ste" or "rq" or "rq_st" or "pact" or "pot", but that is "float32"' log || fail "weight_bits under float32: $(cat log)"

# Looking into runs.
expect 0 "small-lenet, pact, step" "$SRQ" inspect pact-1
expect 0 "grid     pact, 3 bits, codes -4 to 3" "$SRQ" inspect pact-1 fc1/weight
expect 0 "grid     pot, 3 bits, codes -4 to 3" "$SRQ" inspect pot-1 fc1/weight
expect 0 "points   from -2 to 1 times alpha, not evenly spaced" "$SRQ" inspect pot-1 fc1/weight
awk 'length($0) > 80 { exit 1 }' out || fail "inspect: wider than 80 columns: $(cat out)"
grep -qE '^ +-3 +-1 +[0-9,]+ +[0-9.]+ %' out || fail "inspect: no line of code -3, point -1: $(cat out)"
expect 0 "report" "$SRQ" report pact-1 pot-1 --out report

# Exported, also on a grid that is not uniform, whose codes are not the factors of sums.
for to in c h5; do
  for method in pact pot; do
    expect 0 "predictions of none differ from evaluation" "$SRQ" export $method-1 --to $to $method.$to --check slice.h5
    grep -q "logits of none have other bits" out || fail "$method as $to has other bits: $(cat out)"
  done
done

# Timing.
"$SRQ" bench quantizer --seconds 0.01 --elements 2000 --bits 2,8 --model lenet.cfg > bench 2>&1 || fail "bench: $(cat bench)"
for method in pact pot; do
  [ "$(grep -cE "^ +[28]  $method +[0-9.e+]+ \[.*\] +[0-9.e+]+ \[" bench)" = 2 ] || fail "bench does not time $method: $(cat bench)"
  grep -qE "^$method +[0-9.e+]+ \[.*\] +[0-9]+ +[0-9.]+ % " bench || fail "bench times no step with $method: $(cat bench)"
done

# A reader in Python finds the same values, and with them the answers of the evaluation.
/usr/bin/python3 -c 'import h5py, numpy' 2> /dev/null || finish
for method in pact pot; do
  /usr/bin/python3 "$SOURCE/tests/e2e/stranger.py" $method-1/last.h5 slice.h5 > stranger 2>&1 || fail "$method: $(tail -3 stranger)"
done
/usr/bin/python3 "$SOURCE/tests/e2e/read_runs.py" --layers "$SRQ" pact-1 pot-1 > out 2>&1 || fail "srq.py: $(tail -3 out)"
for layer in conv1 fc1 fc2; do "$SRQ" inspect pot-1 $layer/weight --json > $layer.json || fail "inspect --json $layer"; done
"$SRQ" inspect pot-1 --json > run.json || fail "inspect --json"
# The lines of the page itself, for each layer.
awk '/From$/ { found = 1 } found && /^    / { print substr($0, 5) }' "$page" > reader.py
grep -q searchsorted reader.py || fail "the page has no reader"
/usr/bin/python3 - << 'END' || fail "values on a grid of powers of two"
import json
import numpy as np
run = {l["name"]: l for l in json.load(open("run.json"))["layers"]}
for name in ("conv1", "fc1", "fc2"):
    here = {}
    exec(open("reader.py").read().replace("runs/pot/last.h5", "pot-1/last.h5").replace("layers/conv2", "layers/" + name), here)
    layer, values, codes = here["layer"], here["values"], here["codes"]
    grid, weight = json.load(open(name + ".json"))["grid"], layer["weight"][:]
    assert np.array_equal(here["points"], np.float32([-2, -1, -0.5, -0.25, 0, 0.25, 0.5, 1])), here["points"]
    assert grid["points"] == here["points"].tolist() and np.array_equal(np.float32(grid["alpha"]), layer["weight_alpha"][:])
    assert [int((codes == c).sum()) for c in range(-4, 4)] == grid["counts"], (name, grid)
    assert sum(grid["distances"]) + grid["clipped"] == weight.size
    error = np.sum((weight.astype(float) - values.astype(float)) ** 2) / np.sum(weight.astype(float) ** 2)
    assert abs(error / run[name]["error"] - 1) < 1e-5 and run[name]["codes_used"] == len(np.unique(codes)), (error, run[name])
    assert abs(run[name]["zeros"] - np.mean(values == 0)) < 1e-8
END
finish
