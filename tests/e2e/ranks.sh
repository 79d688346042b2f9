#!/usr/bin/env bash
# The same bits on 1, 2, 3, 4 and 8 ranks: every quantizer and optimizer, with batch-norm, and batches (60 images
# of 1,024) that neither the shards nor the epoch divide. The runs are rows of a table, so that srq starts once for all of
# them on each number of ranks.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
cd "$WORK" || exit 1
# An epoch, whose last batch is not a whole one, and steps of the next: what differs once differs ever after.
cat > table.cfg << 'END'
seeds = [1]; sets = ["train.max_steps=21"];
rows = (
  { name = "lenet-srq"; config = "lenet-run.cfg"; sets = ["quantizer.method=srq"]; },
  { name = "argmax"; config = "lenet-run.cfg"; sets = ["quantizer.method=srq", "quantizer.estimator=argmax",
    "quantizer.activation_estimator=argmax", "optimizer.method=sgd", "optimizer.learning_rate=0.05", "train.label_smoothing=0.1",
    "train.clip_norm=0.5"]; },
  { name = "residual"; config = "residual-run.cfg"; sets = ["quantizer.weight_bits=4", "optimizer.weight_decay=1e-4"]; },
  { name = "inverted"; config = "inverted-run.cfg"; sets = ["quantizer.weight_bits=4", "quantizer.activation_bits=4",
    "quantizer.granularity=channel", "optimizer.method=adamw", "optimizer.weight_decay=0.05", "train.average=0.9"]; },
  { name = "learned"; config = "residual-run.cfg"; sets = ["quantizer.weight_bits=6", "dropbits.mode=learn", "dropbits.follow=true",
    "dropbits.penalty=0.3", "optimizer.gate_learning_rate=0.3"]; },
  { name = "shards"; config = "lenet-run.cfg"; sets = ["train.shards=11", "data.cutout=9", "data.brightness=0.3", "data.contrast=0.3",
    "optimizer.method=sgd", "optimizer.nesterov=true",
    "optimizer.learning_rate=0.05"]; },
  { name = "wire"; config = "residual-run.cfg"; sets = ["train.wire=bfloat16", "train.bucket_mb=0", "train.epochs=1"]; },
  { name = "lenet-float32"; config = "lenet-run.cfg"; sets = ["quantizer.method=float32"]; },
  { name = "lenet-ste"; config = "lenet-run.cfg"; sets = ["quantizer.method=ste"]; },
  { name = "lenet-lsq"; config = "lenet-run.cfg"; sets = ["quantizer.method=lsq"]; }
);
END
# In the short form fewer. The last three share what sums gradients with srq, which has every number of ranks.
all_ranks="1 2 3 4 8" common=$(grep -o 'name = "[a-z0-9-]*"' table.cfg | cut -d'"' -f2 | head -7) others="lenet-float32 lenet-ste lenet-lsq"
[ "$SHORT" = ON ] && all_ranks="1 3" others=''
for ranks in $all_ranks; do
  rows=$common
  case $ranks in 1 | 3 | 8) rows="$rows $others" ;; esac
  # shellcheck disable=SC2046
  on_ranks $ranks sweep table.cfg --out on-$ranks $(printf -- '--only %s ' $rows) > log 2>&1 || fail "on $ranks ranks: $(tail -5 log)"
  for row in $rows; do
    mv "on-$ranks/$row-seed1-"* "$row-$ranks" || fail "no run $row on $ranks ranks: $(ls on-$ranks)"
    [ $ranks = 1 ] || same_bits "$row-1" "$row-$ranks"
  done
done
# The gradient was clipped in some steps and not in others.
grep '"event": "step"' argmax-1/log.jsonl | python3 -c 'import json,sys
lines = [json.loads(line) for line in sys.stdin]
clipped = sum(line["clipped_steps"] for line in lines)
assert 0 < clipped < lines[-1]["step"] and all(line["gradient_norm"] > 0 for line in lines), clipped' || fail "clip_norm: $(grep '"event": "step"' argmax-1/log.jsonl)"
# Evaluations have the average of the weights; those of training are what they would be without it.
steps="--set train.max_steps=21"
# shellcheck disable=SC2086
"$SRQ" train inverted-run.cfg --out unaveraged $steps --set quantizer.weight_bits=4 --set quantizer.activation_bits=4 \
  --set quantizer.granularity=channel --set optimizer.method=adamw --set optimizer.weight_decay=0.05 > log 2>&1 || fail "unaveraged: $(tail -3 log)"
"$SRQ" eval unaveraged --json | grep '_loss' > plain-loss
"$SRQ" eval inverted-1 --trained --json | grep '_loss' | cmp -s - plain-loss || fail "--trained: $("$SRQ" eval inverted-1 --trained)"
"$SRQ" eval inverted-1 --json > averaged
grep '_loss' averaged | cmp -s - plain-loss && fail "the average is that of training"
found=$("$SRQ" inspect inverted-1 --json | sed -n 's/.*"test_loss": \([0-9.]*\),.*/\1/p')
grep -q "\"test_loss\": $found," averaged || fail "inspect says $found: $(cat averaged)"

# Buckets, and when they are sent, change nothing; what is rounded on the way does.
# shellcheck disable=SC2086
for settings in train.bucket_mb=0 train.bucket_mb=0.01 train.bucket_mb=1000 train.overlap=false; do
  on_ranks 3 train residual-run.cfg --out "bucket-$settings" $steps --set quantizer.weight_bits=4 --set optimizer.weight_decay=1e-4 \
    --set "$settings" > log 2>&1 || fail "$settings: $(tail -3 log)"
  same_bits residual-1 "bucket-$settings"
done
# shellcheck disable=SC2086
on_ranks 2 train residual-run.cfg --out exact $steps --set train.epochs=1 > log 2>&1 || fail "exact: $(tail -3 log)"
expect 1 "different: " "$SRQ" diff wire-1 exact
# What must differ does: another seed. One run of a table is what srq train makes.
# shellcheck disable=SC2086
on_ranks 2 train lenet-run.cfg --out seed $steps --set train.seed=2 > log 2>&1 || fail "seed: $(tail -3 log)"
expect 1 "different: " "$SRQ" diff lenet-srq-1 seed
expect 1 "only in the " "$SRQ" diff lenet-srq-1 residual-1
# shellcheck disable=SC2086
on_ranks 2 train lenet-run.cfg --out alone $steps > log 2>&1 || fail "alone: $(tail -3 log)"
same_bits lenet-srq-1 alone

# Evaluation, on any ranks, repeats what training found.
for ranks in 1 3; do
  on_ranks $ranks eval lenet-srq-1 > eval-$ranks 2>&1 || fail "eval: $(cat eval-$ranks)"
  cmp -s eval-1 eval-$ranks || fail "eval differs on $ranks ranks: $(cat eval-$ranks)"
done
error=$("$SRQ" inspect lenet-srq-1 --json | python3 -c 'import json,sys; print("%.2f" % (100*json.load(sys.stdin)["test_error"]))')
grep -q "test error $error %" eval-1 || fail "inspect says $error %, eval says $(cat eval-1)"
finish
