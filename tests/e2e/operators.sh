#!/usr/bin/env bash
# A network with concat, sigmoid and leaky_relu between quantized layers: training, the same bits on 1 and 3 ranks and after
# a resume, evaluation, and every place that shows layers.
. "$(dirname "$0")/lib.sh"
make_data
cd "$WORK" || exit 1
cat > mixed.cfg << EOF
name = "mixed"; input = { height = 28; width = 28; channels = 1; };
layers = (
  { name = "conv1"; type = "conv"; out = 8; kernel = 5; stride = 3; }, { name = "leaky1"; type = "leaky_relu"; slope = 0.1; },
  { name = "act1"; type = "quantize"; },
  { name = "conv2"; type = "conv"; out = 4; kernel = 3; padding = 1; }, { name = "gate"; type = "sigmoid"; },
  { name = "act2"; type = "quantize"; },
  { name = "both"; type = "concat"; inputs = ["act1", "act2", "leaky1"]; },
  { name = "act3"; type = "quantize"; },
  { name = "fc"; type = "dense"; out = 10; } );
EOF
cat > run.cfg << EOF
model = "mixed.cfg"; data = { file = "slice.h5"; };
train = { batch = 60; shards = 6; epochs = 3; checkpoint_every = "5it"; eval_every = "1ep"; log_every = "3it"; keep = 20; };
quantizer = { weight_bits = 4; activation_bits = 4; };
optimizer = { learning_rate = 5e-3; };
EOF
for ranks in 1 3; do
  on_ranks $ranks train run.cfg --out run-$ranks > log 2>&1 || fail "training on $ranks ranks: $(tail -3 log)"
done
same_bits run-1 run-3
# It learns: guessing among ten classes is wrong 90 times in 100.
error=$("$SRQ" inspect run-1 --json | python3 -c 'import json, sys; print("%.2f" % (100 * json.load(sys.stdin)["test_error"]))')
python3 -c "import sys; sys.exit(not $error < 50)" || fail "test error $error %"

# Resumed from a checkpoint on another number of ranks.
checkpoint=$(find run-1/checkpoints -name '*.h5' | sort | head -1)
on_ranks 3 train run.cfg --out resumed --resume "$checkpoint" > log 2>&1 || fail "resumed from $checkpoint: $(tail -3 log)"
grep -q '"event": "resume"' resumed/log.jsonl || fail "no resume in the log: $(head -3 resumed/log.jsonl)"
same_bits run-1 resumed

expect 0 "test error $error %" "$SRQ" eval run-1
"$SRQ" inspect run-1 > screen || fail "inspect: $(cat screen)"
for layer in act1 act2 act3; do grep -qE "^$layer " screen || fail "inspect shows no $layer: $(cat screen)"; done
grep -qE '^fc +dense +10x[0-9]+ +4/4 ' screen || fail "inspect: fc does not read 4-bit codes: $(cat screen)"

# Times are filed under the operators' own names, and so are layers in JSON.
step=(bench step --seconds 0 --batch 16 --shards 4 --model mixed.cfg)
"$SRQ" "${step[@]}" > out || fail "bench step: status $?"
for family in conv dense leaky_relu sigmoid concat chain; do
  grep -qE "^  $family +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ %$" out || fail "bench step has no line for $family: $(cat out)"
done
"$SRQ" "${step[@]}" --json > step.json || fail "bench step --json: status $?"
python3 -c '
import json
types = {l["name"]: l["type"] for l in json.load(open("step.json"))["layers"]}
assert types["leaky1"] == "leaky_relu" and types["gate"] == "sigmoid" and types["both"] == "concat", types' || fail "bench step --json"
finish
