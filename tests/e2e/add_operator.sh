#!/usr/bin/env bash
# docs/adding-an-operator.md by its words alone: the file and the line on the page make a program that trains with the new
# operator, to the same bits on any ranks, and knows it wherever it shows layers.
LIGHT_LIBRARIES= # cmake needs the real libcurl
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/extend_lib.sh"
page=$SOURCE/docs/adding-an-operator.md
copy_tree
take_block "$page" '`core/ops/global_max_pool.c`:' > "$TREE/core/ops/global_max_pool.c" || fail "the page shows no file"
add_line "$TREE/core/ops/operators.def" "OPERATOR(avg_pool)" "$(take_block "$page" 'In `core/ops/operators.def`')"
changed=$(diff -rq "$SOURCE/core" "$TREE/core" | wc -l)
[ "$changed" = 2 ] || fail "not one new file and one changed file, but $changed: $(diff -rq "$SOURCE/core" "$TREE/core")"
build_extended
[ "$FAILED" = 0 ] || finish
if command -v clang-format > /dev/null; then
  clang-format --dry-run -Werror --style="file:$SOURCE/.clang-format" "$TREE/core/ops/global_max_pool.c" || fail "the page's code is not formatted"
fi

SRQ=$EXTENDED
make_data
cd "$WORK" || exit 1
model() { # FILE LAYER
  cat > "$1" << END
name = "pooled"; input = { height = 28; width = 28; channels = 1; };
layers = (
  { name = "conv1"; type = "conv"; out = 8; kernel = 5; stride = 2; }, { name = "relu1"; type = "relu"; },
  { name = "act1"; type = "quantize"; },
  $2
  { name = "fc"; type = "dense"; out = 10; } );
END
}
model new.cfg "$(take_block "$page" 'a model file can use it')"
model old.cfg '{ name = "pool"; type = "max_pool"; kernel = 12; },'
for name in new old; do
  cat > $name-run.cfg << END
model = "$name.cfg"; data = { file = "slice.h5"; };
train = { batch = 60; shards = 6; epochs = 2; };
END
done
for ranks in 1 3; do
  on_ranks $ranks train new-run.cfg --out new-$ranks > log 2>&1 || fail "training on $ranks ranks: $(tail -3 log)"
done
on_ranks 1 train old-run.cfg --out old > log 2>&1 || fail "training with max_pool: $(tail -3 log)"
same_bits new-1 new-3
# A window of the whole image is the same thing.
results() { python3 -c 'import json, sys
for line in open(sys.argv[1] + "/log.jsonl"):
    d = json.loads(line)
    if d["event"] in ("step", "eval"): print(d["step"], d.get("loss"), d.get("test_loss"), d.get("test_error"))' "$1"; }
results new-1 > new.txt
results old > old.txt
[ "$(wc -l < new.txt)" -ge 3 ] || fail "nothing in the log: $(cat new-1/log.jsonl)"
cmp -s new.txt old.txt || fail "not what max_pool gives: $(diff new.txt old.txt | head -5)"

# It is known wherever there are layers; the dense layer behind it reads the bits of the quantizer before it.
expect 0 "global_max_pool: maximum of each channel over the whole image" "$SRQ" help layers
expect 0 "global_max_pool" "$SRQ" bench step --seconds 0 --batch 16 --shards 4 --model new.cfg
grep -qE '^  global_max_pool  +[0-9.]+ ' out || fail "bench step has no line for it: $(cat out)"
"$SRQ" inspect new-1 > new-screen && "$SRQ" inspect old > old-screen || fail "inspect: status $?"
diff <(grep '^fc ' new-screen | head -1) <(grep '^fc ' old-screen | head -1) > out || fail "bits of the dense layer's input: $(cat out)"
sed 's/global_max_pool/global_maxpool/' new.cfg > typo.cfg
sed 's/new.cfg/typo.cfg/' new-run.cfg > typo-run.cfg
# Without a deployed form, it is not exported.
expect 2 'layer "pool": layers of type global_max_pool cannot be exported' "$SRQ" export new-1 --to h5 new.h5
[ ! -e new.h5 ] || fail "export left a file"
expect 2 'no layer type is called "global_maxpool"; did you mean "global_max_pool"?' "$SRQ" train typo-run.cfg --out typo
finish
