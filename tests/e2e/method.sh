#!/usr/bin/env bash
# The method in full: noise, gates, learned bit-lengths, schedules and settings of single layers give the same bits on
# any number of ranks and across a resume; fine-tuning; bit-lengths that one run learns and another takes over.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
all_ranks="1 2 3 8"
[ "${SANITIZED:-OFF}" = ON ] && all_ranks="1 3"

cat > "$WORK/all.cfg" << EOF
model = "lenet.cfg"; data = { file = "slice.h5"; };
train = { batch = 60; shards = 8; epochs = 2; checkpoint_every = "5it"; eval_every = "1ep"; log_every = "3it"; keep = 20; };
optimizer = { gate_learning_rate = 0.3; };
quantizer = {
  method = "srq"; weight_bits = "6 until 14it, then 4"; activation_bits = "5 until 1ep, then 3 until 30it, then 2";
  granularity = "channel"; sigma = "annealed";
  layers = ( { name = "fc1"; bits = 8; granularity = "tensor"; estimator = "argmax"; }, { name = "act1"; method = "rq_st"; bits = 4; } );
};
dropbits = { mode = "learn"; penalty = 0.3; weights = "params"; target = 4.0; follow = true; };
EOF
cat > "$WORK/rq.cfg" << EOF
model = "lenet.cfg"; data = { file = "slice.h5"; };
train = { batch = 60; shards = 8; epochs = 1; checkpoint_every = "5it"; keep = 20; };
quantizer = { method = "rq"; weight_bits = 4; activation_bits = 3; granularity = "channel"; };
EOF
cat > "$WORK/regularize.cfg" << EOF
model = "lenet.cfg"; data = { file = "slice.h5"; };
train = { batch = 60; shards = 8; epochs = 1; checkpoint_every = "5it"; keep = 20; };
quantizer = { method = "srq"; weight_bits = 5; activation_bits = 3; sigma = "fixed"; };
dropbits = { mode = "regularize"; };
EOF

cat > "$WORK/held.cfg" << EOF
model = "lenet.cfg"; data = { file = "slice.h5"; };
train = { batch = 60; shards = 8; epochs = 1; checkpoint_every = "5it"; keep = 20; };
optimizer = { gate_learning_rate = 0.5; };
quantizer = { method = "srq"; weight_bits = 6; activation_bits = 3; };
dropbits = { mode = "learn"; penalty = 0.3; until = "10it"; };
EOF

# As rows of a table: srq starts once for the four runs.
cd "$WORK" || exit 1
cat > methods.cfg << 'END'
seeds = [1];
rows = ( { name = "all"; config = "all.cfg"; }, { name = "rq"; config = "rq.cfg"; }, { name = "regularize"; config = "regularize.cfg"; },
  { name = "held"; config = "held.cfg"; } );
END
methods="all rq regularize held"
for ranks in $all_ranks; do
  on_ranks "$ranks" sweep methods.cfg --out on-$ranks > log 2>&1 || fail "on $ranks ranks: $(tail -5 log)"
  for name in $methods; do
    ln -s on-$ranks/$name-seed1-* $name-$ranks
    same_bits $name-1 $name-$ranks
  done
done
# Resumed from every moment that a checkpoint was kept of: before and after each change of bit-lengths.
cut=1
while :; do
  mkdir again
  resumed=''
  for name in $methods; do
    # shellcheck disable=SC2012
    from=$(ls $name-1/checkpoints | sed '$d' | sed -n ${cut}p) run=again/$(basename "$(readlink $name-1)")
    [ -n "$from" ] || continue
    cp -r on-1/$name-* "$run"
    for file in "$run/checkpoints/"*; do [[ $(basename "$file") > $from ]] && rm "$file"; done
    sed -i '$d' "$run/log.jsonl" # its end
    rm "$run/last.h5"
    resumed="$resumed $name"
  done
  [ -n "$resumed" ] || break
  # shellcheck disable=SC2046
  on_ranks 2 sweep methods.cfg --out again $(printf -- '--only %s ' $resumed) > log 2>&1 || fail "from checkpoint $cut: $(tail -5 log)"
  for name in $resumed; do
    grep -q '"event": "resume"' again/$name-*/log.jsonl || fail "$name begins again from checkpoint $cut"
    same_bits $name-1 again/$name-*
  done
  [ "${SANITIZED:-OFF}" = ON ] && break
  rm -rf again
  cut=$((cut + 1))
done

# After dropbits.until gates stay as they are, though weights do not, and before it they do not.
/usr/bin/python3 - "$WORK/held-1" << 'EOF' || fail "dropbits.until"
import glob, h5py, sys
files = sorted(glob.glob(sys.argv[1] + "/checkpoints/*"))
assert len(files) >= 4, files
seen = []
for name in files[:4]:
    with h5py.File(name) as f:
        layers = [l for l in f["layers"].values() if "weight_gate_logits" in l]
        assert layers
        seen.append(([l["weight_gate_logits"][()].tobytes() for l in layers], [l["weight"][()].tobytes() for l in layers], f.attrs["step"]))
assert [s[2] for s in seen] == [5, 10, 15, 18], [s[2] for s in seen]
assert seen[0][0] != seen[1][0] and seen[1][0] == seen[2][0] == seen[3][0]
assert all(a != b for a, b in zip(seen[1][1], seen[2][1]))
EOF

# What was in force when, and what the log says of every layer.
"$SRQ" inspect "$WORK/all-1" --json > "$WORK/inspect.json" || fail "inspect: $(cat "$WORK/inspect.json")"
python3 - "$WORK/inspect.json" "$WORK/all-1/log.jsonl" << 'EOF' || fail "the history of bit-lengths"
import json, sys
seen = json.load(open(sys.argv[1]))
acts = [(h["step"], h["bits"]) for h in seen["bits_history"] if h["layer"] == "act2"]
assert acts == [(0, 5), (18, 3), (30, 2)], acts
assert [(h["step"], h["bits"]) for h in seen["bits_history"] if h["layer"] == "act1"] == [(0, 4)]
layers = {l["name"]: l for l in seen["layers"]}
assert layers["act2"]["activation_bits"] == 2 and layers["fc1"]["method"] == "srq" and layers["act1"]["method"] == "rq_st"
assert layers["conv1"]["alpha_count"] == 6 and "alpha" in layers["fc1"] and len(layers["fc1"]["gates"]) == 6
for layer in ("conv1", "fc1", "fc2"):
    l, bits = layers[layer], 2
    for p in l["gates"]:
        if p <= 0.5: break
        bits += 1
    assert l["weight_bits"] == bits, (layer, l)
assert abs(layers["act2"]["sigma"] / layers["act2"]["alpha"] - 0.1) < 1e-3  # annealed to sigma_final
evals = [e for e in map(json.loads, open(sys.argv[2])) if e["event"] == "eval"]
assert len(evals) == 2 and all("gates" in l for e in evals for l in e["layers"] if l["name"] == "fc1")
# The target: reached in evaluation, also after the schedule has changed the bit-lengths that are possible. Lambda stays.
assert evals[0]["penalty"] == evals[1]["penalty"] == 0.3
end = evals[1]
assert end["target"] == 4 and end["target_measure"] == "bits" and end["target_reached"] is True
assert end["reached"] == end["mean_weight_bits"] and abs(end["reached"] - 4) <= 0.1, end["reached"]
assert abs(end["mean_gated_bits"] - end["mean_weight_bits"]) < 0.1, end["mean_gated_bits"]
steps = [e for e in map(json.loads, open(sys.argv[2])) if e["event"] == "step"]
assert min(e["reached"] for e in steps) >= 3.9  # never below it
stop = json.loads(open(sys.argv[2]).readlines()[-1])
assert stop["event"] == "stop" and stop["target_reached"] is True and stop["reached"] == end["reached"]
EOF

# The first and the last lines tell the bits of evaluation from those that are expected in training; the last one judges.
"$SRQ" train "$WORK/all.cfg" --out "$WORK/all-1" --resume auto > "$WORK/log" 2>&1 || fail "again: $(cat "$WORK/log")"
grep -q '^learned bit-lengths: expected bits [0-9.]*, evaluated [0-9.]*; target 4 bits from step 15$' "$WORK/log" || fail "first lines: $(cat "$WORK/log")"
tail -1 "$WORK/log" | grep -q '^expected bits [0-9.]*, evaluated [0-9.]*; target 4 bits, reached [34][0-9.]* bits$' || fail "last line: $(tail -1 "$WORK/log")"
"$SRQ" inspect "$WORK/all-1" | grep -q '^target 4 bits, reached [34]' || fail "inspect says no target"
# fc1 has nine tenths of the weights, so that 3.5 bits cannot be had. Gates that have not settled are said, too.
expect 0 "srq: warning: dropbits.target is 3.5 bits, but no whole bit-lengths of the layers give that; the closest is 3." "$SRQ" train \
  "$WORK/all.cfg" --out "$WORK/far" --set train.max_steps=2 --set dropbits.target=3.5 --set quantizer.weight_bits=4
grep -q "bits, which is not the target$" "$WORK/out" || fail "a target that is missed: $(cat "$WORK/out")"
tail -1 "$WORK/far/log.jsonl" | grep -q '"target_reached": false' || fail "the log of a target that is missed"
expect 0 "; the gates have not settled: training uses other bit-lengths than evaluation" "$SRQ" train "$WORK/held.cfg" --out "$WORK/open" \
  --set train.max_steps=1 --set optimizer.gate_learning_rate=0.01

# Learned bit-lengths in another configuration, and fine-tuning from its weights.
cat > "$WORK/second.cfg" << EOF
model = "lenet.cfg"; data = { file = "slice.h5"; };
train = { batch = 60; shards = 8; epochs = 1; init = "all-1"; };
quantizer = { method = "srq"; weight_bits = 8; activation_bits = 3;
  @include "all-1/bits.cfg"
};
EOF
expect 0 "done: test error" "$SRQ" train "$WORK/second.cfg" --out "$WORK/second"
"$SRQ" inspect "$WORK/second" --json > "$WORK/second.json" || fail "inspect second"
python3 - "$WORK/inspect.json" "$WORK/second.json" << 'EOF' || fail "learned bit-lengths are not those of the second run"
import json, sys
bits = [{l["name"]: l["weight_bits"] for l in json.load(open(f))["layers"] if "weight_bits" in l} for f in sys.argv[1:]]
assert bits[0] == bits[1], bits
EOF
expect 3 "train.init: $WORK/all-1/last.h5: " "$SRQ" train "$WORK/residual-run.cfg" --out "$WORK/wrong" --set train.init="$WORK/all-1"
expect 3 "train.init: " "$SRQ" train "$WORK/lenet-run.cfg" --out "$WORK/wrong" --set train.init="$WORK/nothing"
[ ! -e "$WORK/wrong/config.cfg" ] || fail "a run directory was made for a train.init that cannot be read"

# Mistakes.
wrong() { # WORDS SETTINGS...
  local words=$1
  shift
  expect 2 "$words" "$SRQ" train "$WORK/lenet-run.cfg" --out "$WORK/wrong" "$@"
}
wrong "there is no bit to drop" --set dropbits.mode=learn
wrong "no weights are quantized by srq" --set dropbits.mode=learn --set quantizer.method=lsq
wrong "quantizer.weight_bits must be a bit-length, or a schedule" --set "quantizer.weight_bits=8 for 3ep"
wrong "it must be from 1 to 8" --set "quantizer.weight_bits=9 until 3ep, then 4"
wrong "layer \"conv1\" has a schedule of 8 bits until step 18 and then 4 bits until step 5" --set "quantizer.weight_bits=8 until 1ep, then 4 until 5it, then 2"
wrong "can only be from 2 (all gates closed) to 6 (all gates open)" --set dropbits.mode=learn --set quantizer.weight_bits=6 --set dropbits.target=1.5
wrong "bit operations as a share of those at 8/8" --set dropbits.mode=learn --set quantizer.weight_bits=6 --set dropbits.target=4 --set dropbits.target_measure=bops
# dropbits.ramp: the penalty of the next step rises from 0 to lambda, and the gates see it.
for ramp in 0 4; do
  "$SRQ" train "$WORK/lenet-run.cfg" --out "$WORK/ramp-$ramp" --quiet --set dropbits.mode=learn --set quantizer.weight_bits=4 --set dropbits.penalty=0.1 \
    --set dropbits.ramp=${ramp}it --set train.epochs=6it --set train.eval_every=1it > "$WORK/out" 2>&1 || fail "a ramp of $ramp steps: $(cat "$WORK/out")"
done
rises=$(grep '"eval"' "$WORK/ramp-4/log.jsonl" | grep -o '"penalty": [0-9.]*' | cut -d' ' -f2 | xargs)
[ "$rises" = "0.025 0.05 0.075 0.1 0.1 0.1" ] || fail "lambda during a ramp: $rises"
expect 1 "different" "$SRQ" diff "$WORK/ramp-0" "$WORK/ramp-4"
layer() { # WORDS ENTRY
  sed "s/^train/quantizer = { layers = ( $2 ); };\ntrain/" "$WORK/lenet-run.cfg" > "$WORK/layer.cfg"
  expect 2 "$1" "$SRQ" train "$WORK/layer.cfg" --out "$WORK/wrong"
}
layer 'did you mean "conv1"?' '{ name = "conv"; bits = 8; }'
layer 'has no setting "bit"; did you mean "bits"?' '{ name = "conv1"; bit = 8; }'
layer 'is in quantizer.layers already' '{ name = "conv1"; bits = 8; }, { name = "conv1"; bits = 4; }'
layer 'quantizes an activation' '{ name = "act1"; granularity = "channel"; }'
layer 'needs the name of a layer' '{ bits = 4; }'
finish
