#!/usr/bin/env bash
# srq bench: every line is there and the JSON is whole, whatever the machine's speed. No speed is checked.
. "$(dirname "$0")/lib.sh"
make_configs
quick=(bench quantizer --seconds 0.01 --elements 20000)
# Training steps of LeNet-5 take 20 s a time under the sanitizers: there, `bench step` alone has some.
network=lenet5 model=()
[ "${SANITIZED:-OFF}" = ON ] && network=residual model=(--model "$WORK/residual.cfg")
expect 0 "A training step of $network on one core, 2/2 bits, batch of 128 in 8 shards" "$SRQ" "${quick[@]}" "${model[@]}"
for bits in 2 3 4 6 8; do
  for method in ste lsq rq rq_st "srq full" "srq argmax" "srq full\\+DropBits" "srq argmax\\+DropBits"; do
    grep -qE "^ +$bits  $method +[0-9.e+]+ \[.*\.\..*\] +[0-9.e+]+ \[.*\.\..*\]$" "$WORK/out" || fail "no line of $method at $bits bits: $(cat "$WORK/out")"
  done
done
for method in float32 ste lsq rq rq_st "srq full" "srq argmax" "srq full\\+DropBits" "srq argmax\\+DropBits"; do
  grep -qE "^$method +[0-9.e+]+ \[.*\] +[0-9]+ +[0-9.]+ % \[.*\]$" "$WORK/out" || fail "no training step with $method: $(cat "$WORK/out")"
done

"$SRQ" "${quick[@]}" --model "$WORK/residual.cfg" --json --bits 3,8 > "$WORK/bench.json" || fail "--json: status $?"
python3 -m json.tool "$WORK/bench.json" > "$WORK/out" 2>&1 || fail "--json is not JSON: $(cat "$WORK/out")"
python3 - "$WORK/bench.json" residual << 'EOF' || fail "--json: $(cat "$WORK/bench.json")"
import json, sys
d = json.load(open(sys.argv[1]))
q = d["quantizers"]
assert d["elements"] == 20000 and d["tensor_bytes"] == 80000 and d["isa"]
key = lambda x: (x["method"], x["estimator"], x["dropbits"])
contenders = [("srq", "full", False), ("srq", "argmax", False), ("srq", "full", True), ("srq", "argmax", True), ("lsq", "", False),
              ("ste", "", False), ("rq", "", False), ("rq_st", "", False)]
assert sorted(key(x) + (x["bits"], x["direction"]) for x in q) == sorted(
    c + (bits, direction) for c in contenders for bits in (3, 8) for direction in ("forward", "backward"))
assert all(0 < x["least"] <= x["elements_per_second"] <= x["most"] and x["alpha"] > 0 for x in q)
s = d["step"]
assert s["model"] == sys.argv[2] and s["batch"] == 128 and s["shards"] == 8
assert [key(x) for x in s["methods"]] == [("float32", "", False)] + contenders
assert s["methods"][0]["quantizer_share"] == 0 and all(0 < x["quantizer_share"] < 1 for x in s["methods"][1:])
EOF

# The built-in network is that of experiments/models/lenet5.cfg, but for white space.
bare() { sed 's/#.*//' "$1" | tr -d '"\\ \n'; }
[[ "$(bare "$SOURCE/experiments/srq/bench/lenet5.c")" == *"$(bare "$SOURCE/experiments/models/lenet5.cfg")"* ]] || fail "the built-in LeNet-5 is not experiments/models/lenet5.cfg"

# The network is the built-in one, that of a model file, or none.
expect 0 "A training step of residual" "$SRQ" "${quick[@]}" --bits 2 --model "$WORK/residual.cfg"
"$SRQ" "${quick[@]}" --bits 2 --model none > "$WORK/out" 2>&1 || fail "--model none: $(cat "$WORK/out")"
grep -q "training step" "$WORK/out" && fail "--model none times training steps"

# Training steps, on one rank and several, with every engine that is here.
step=(bench step --seconds 0 --batch 16 --shards 4)
expect 0 "A training step of lenet5, srq full 4/4, batch of 16 in 4 shards, 1 rank x 1 thread" "$SRQ" "${step[@]}"
for line in "images/s, .* ms per step" "^  conv  +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ %$" "^  chain " "sum over ranks" \
  "forward  in .* of a large 3 x 3" "^Limits on one core: [0-9.]+ GB/s from memory" \
  "^  chain  +backward  +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9]+ % +- +-$" "^  conv  +by weights  +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9]+ % +[0-9]+ +[0-9]+ %$" "activations and their gradients +[0-9.]+ .B$" "resident size, sum over ranks"; do
  grep -qE "$line" "$WORK/out" || fail "bench step: no line like \"$line\": $(cat "$WORK/out")"
done
engines="auto float32 reference"
"$SRQ" version | grep -q "^CPU .* avx512_" && engines="auto integer float32 reference"
[ "${SANITIZED:-OFF}" = ON ] && engines=auto # the others are the other suites'
ranks=2 # of the first
for engine in $engines; do
  on_ranks $ranks "${step[@]}" --engine $engine --method lsq --bits 2 --json > "$WORK/step.json" || fail "bench step --engine $engine: status $?"
  python3 - "$WORK/step.json" $ranks << 'EOF' || fail "bench step --json: $(cat "$WORK/step.json")"
import json, sys
d = json.load(open(sys.argv[1]))
assert d["ranks"] == int(sys.argv[2]) and d["shards"] == 4 and d["batch"] == 16 and d["method"] == "lsq" and d["bits"] == 2
assert 0 < d["least"] <= d["seconds"] <= d["most"] and abs(d["images_per_second"] * d["seconds"] / 16 - 1) < 1e-3
assert [l["name"] for l in d["layers"]] == ["conv1", "relu1 pool1 act1", "conv2", "relu2 pool2 act2", "fc1", "relu3 act3", "fc2"]
assert sum(l[p] for l in d["layers"] for p in ("forward", "backward_data", "backward_weights")) > 0
assert d["memory_bandwidth"] > 0 and d["large_convolution"]["forward_codes"] > 0
# conv1: 24 x 24 x 32 sums of 28 x 28 pixels; relu1 pool1 act1: these sums, and codes of 12 x 12 x 32.
images = 16 // int(sys.argv[2])
assert d["layers"][0]["bytes"]["forward"] == images * 4 * (24 * 24 * 32 + 28 * 28) and d["layers"][0]["bytes"]["backward_data"] == 0
assert d["layers"][1]["bytes"]["forward"] == images * (4 * 24 * 24 * 32 + 12 * 12 * 32)
assert d["memory"]["parameters"] >= 4 * 582026 and d["memory"]["resident_all_ranks"] > d["memory"]["parameters"]
EOF
  ranks=1
done
expect 0 "bn1 relu1 act1" "$SRQ" "${step[@]}" --layers --model "$WORK/residual.cfg"

# Gradients beside those of float32, of a run or a checkpoint.
make_data
expect 0 "done" "$SRQ" train "$WORK/residual-run.cfg" --out "$WORK/run" --threads 1 --set train.max_steps=1
expect 0 "against float32, 2 draws" "$SRQ" bench gradients "$WORK/run" --draws 2
"$SRQ" bench gradients "$WORK/run/last.h5" --draws 3 --json > "$WORK/gradients.json" || fail "bench gradients --json: status $?"
python3 - "$WORK/gradients.json" "$engines" << 'EOF' || fail "bench gradients --json: $(cat "$WORK/gradients.json")"
import json, sys
d = json.load(open(sys.argv[1]))
assert d["step"] == 1 and d["draws"] == 3
for engine in ("mixed", "integer"):
    rows = [g for g in d["gradients"] if g["engine"] == engine]
    assert rows or engine not in sys.argv[2], engine
    for g in rows:
        assert g["cosine"] > 0.9 and g["bias"] <= g["noise"] + 1e-12 and g["noise"] < 0.5, g
    if engine == "integer" and rows:
        assert any(g["bias"] < 0.9 * g["noise"] for g in rows), "no draw differs from another"
EOF
expect 2 "--draws must be" "$SRQ" bench gradients "$WORK/run" --draws 0
expect 2 "no run or checkpoint is named" "$SRQ" bench gradients
expect 2 "no option is called --fast" "$SRQ" bench gradients --fast
expect 3 "none.h5" "$SRQ" bench gradients "$WORK/none.h5"
expect 2 "train.engine" "$SRQ" "${step[@]}" --engine fast
expect 2 "train.shards" mpirun --quiet -n 3 "$SRQ" bench step --shards 2
expect 2 "--batch must be" "$SRQ" bench step --batch 0
expect 2 "--bits must be" "$SRQ" bench step --bits 9
expect 2 "no option is called --fast" "$SRQ" bench step --fast 1
expect 2 "none.cfg" "$SRQ" bench step --model "$WORK/none.cfg"

expect 2 "what to measure is missing" "$SRQ" bench
expect 2 "there is no measurement called speed" "$SRQ" bench speed
expect 2 "no option is called --fast" "$SRQ" bench quantizer --fast 1
expect 2 "a value is missing after --bits" "$SRQ" bench quantizer --bits
expect 2 "this is not expected: 7" "$SRQ" bench quantizer 7
for bad in 0 9 2,,3 "2," x "" 1,2,3,4,5,6,7,8,1; do expect 2 "--bits must be" "$SRQ" bench quantizer --bits "$bad"; done
for bad in 0 -1 1.5 2e9 nan ten; do expect 2 "--elements must be" "$SRQ" bench quantizer --elements "$bad"; done
for bad in -1 inf nan 1s; do expect 2 "--seconds must be" "$SRQ" bench quantizer --seconds "$bad"; done
expect 2 "none.cfg" "$SRQ" bench quantizer --model "$WORK/none.cfg"
# Sums over ranks: bytes are those of theory, 2 (P-1)/P of the vector, and half of the first part in bfloat16.
# Each rank is a node (SRQ_NODE); ranks of one node that share memory send nothing.
apart() { # RANKS WORDS...
  local ranks=$1
  shift
  # shellcheck disable=SC2016
  timeout 240 mpirun --quiet --oversubscribe -n "$ranks" bash -c 'SRQ_NODE=$OMPI_COMM_WORLD_RANK exec "$0" "$@"' "$SRQ" "$@"
}
for ranks in 1 2 4; do
  apart $ranks bench allreduce --elements 64000 --seconds 0.01 --bucket-mb 0.05 --json > "$WORK/sum-$ranks.json" || fail "bench allreduce on $ranks ranks"
done
SRQ_SHARE=always on_ranks 2 bench allreduce --elements 64000 --seconds 0.01 --json | grep -q '"bytes_sum": 0, "bytes_join": 0' || fail "ranks of one node send"
apart 2 bench allreduce --elements 64000 --seconds 0.01 --wire bfloat16 --json > "$WORK/sum-wire.json" || fail "bench allreduce --wire bfloat16"
python3 - "$WORK" << 'END' || fail "bench allreduce --json: $(cat "$WORK"/sum-*.json)"
import json, sys
near = lambda a, b: abs(a - b) <= 6 * 4 * 64 # slices of 6 buckets end on cache lines
for ranks in (1, 2, 4):
    d = json.load(open(f"{sys.argv[1]}/sum-{ranks}.json"))
    share = 64000 * 4 * (ranks - 1) // ranks
    assert d["ranks"] == d["shards"] == ranks and d["buckets"] == 6 and near(d["bytes_sum"], share) and near(d["bytes_join"], share)
    assert d["least"] <= d["seconds"] <= d["most"] and (d["latency_seconds"] > 0) == (ranks > 1)
d = json.load(open(sys.argv[1] + "/sum-wire.json"))
assert d["wire"] == "bfloat16" and near(d["bytes_sum"], 64000 * 2 // 2) and near(d["bytes_join"], 64000 * 4 // 2)
END
expect 0 "A sum of 1000 floats (4 kB) over 5 shards on 2 ranks, in 1 bucket, float32 on the wire" on_ranks 2 bench allreduce --elements 1000 --shards 5 --seconds 0
expect 2 "--elements must be 1 to 1000000000" "$SRQ" bench allreduce --elements 0
expect 2 "--shards must be 1 to 4096" "$SRQ" bench allreduce --shards 2.5
expect 2 "2 ranks but train.shards = 1" on_ranks 2 bench allreduce --shards 1
finish
