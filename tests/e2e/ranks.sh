#!/usr/bin/env bash
# The same bits on 1, 2, 3, 4 and 8 ranks: every quantizer and optimizer, with batch-norm, and batches (60 images
# of 1,024) that neither the shards nor the epoch divide.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
# In the short form fewer.
all_ranks="1 2 3 4 8" methods="float32 ste lsq srq"
[ "$SHORT" = ON ] && all_ranks="1 3" methods=srq
# An epoch, whose last batch is not a whole one, and steps of the next: what differs once differs ever after.
steps="--set train.max_steps=21"
compare() { # NAME CONFIG SETTINGS...
  local name=$1 config=$2
  shift 2
  for ranks in $all_ranks; do
    # shellcheck disable=SC2086
    on_ranks $ranks train "$config" --out "$WORK/$name-$ranks" $steps "$@" > "$WORK/log" 2>&1 || fail "$name on $ranks ranks: $(tail -3 "$WORK/log")"
    [ $ranks = 1 ] || expect 0 "equal: " "$SRQ" diff "$WORK/$name-1" "$WORK/$name-$ranks"
  done
}
for method in $methods; do
  # The other methods share what sums gradients with srq, which has every number of ranks.
  [ "$method" = srq ] || [ "$SHORT" = ON ] || all_ranks="1 3 8"
  compare "lenet-$method" "$WORK/lenet-run.cfg" --set quantizer.method=$method
  [ "$SHORT" = ON ] || all_ranks="1 2 3 4 8"
done
compare argmax "$WORK/lenet-run.cfg" --set quantizer.method=srq --set quantizer.estimator=argmax --set quantizer.activation_estimator=argmax --set optimizer.method=sgd --set optimizer.learning_rate=0.05 --set train.label_smoothing=0.1 --set train.clip_norm=0.5
compare residual "$WORK/residual-run.cfg" --set quantizer.weight_bits=4 --set optimizer.weight_decay=1e-4
compare inverted "$WORK/inverted-run.cfg" --set quantizer.weight_bits=4 --set quantizer.activation_bits=4 --set quantizer.granularity=channel --set optimizer.method=adamw --set optimizer.weight_decay=0.05 --set train.average=0.9
compare learned "$WORK/residual-run.cfg" --set quantizer.weight_bits=6 --set dropbits.mode=learn --set dropbits.follow=true --set dropbits.penalty=0.3 --set optimizer.gate_learning_rate=0.3
# The gradient was clipped in some steps and not in others.
grep '"event": "step"' "$WORK/argmax-1/log.jsonl" | python3 -c 'import json,sys
lines = [json.loads(line) for line in sys.stdin]
clipped = sum(line["clipped_steps"] for line in lines)
assert 0 < clipped < lines[-1]["step"] and all(line["gradient_norm"] > 0 for line in lines), clipped' || fail "clip_norm: $(grep '"event": "step"' "$WORK/argmax-1/log.jsonl")"
# Evaluations have the average of the weights; those of training are what they would be without it.
"$SRQ" train "$WORK/inverted-run.cfg" --out "$WORK/unaveraged" $steps --set quantizer.weight_bits=4 --set quantizer.activation_bits=4 --set quantizer.granularity=channel --set optimizer.method=adamw --set optimizer.weight_decay=0.05 > /dev/null 2>&1
"$SRQ" eval "$WORK/unaveraged" --json | grep '_loss' > "$WORK/plain-loss"
"$SRQ" eval "$WORK/inverted-1" --trained --json | grep '_loss' | cmp -s - "$WORK/plain-loss" || fail "--trained: $("$SRQ" eval "$WORK/inverted-1" --trained)"
"$SRQ" eval "$WORK/inverted-1" --json | grep '_loss' | cmp -s - "$WORK/plain-loss" && fail "the average is that of training"
found=$("$SRQ" inspect "$WORK/inverted-1" --json | sed -n 's/.*"test_loss": \([0-9.]*\),.*/\1/p')
"$SRQ" eval "$WORK/inverted-1" --json | grep -q "\"test_loss\": $found," || fail "inspect says $found: $("$SRQ" eval "$WORK/inverted-1" --json)"
compare shards "$WORK/lenet-run.cfg" --set train.shards=11 --set data.cutout=9 --set data.brightness=0.3 --set data.contrast=0.3 --set optimizer.method=sgd --set optimizer.nesterov=true --set optimizer.learning_rate=0.05
compare wire "$WORK/residual-run.cfg" --set train.wire=bfloat16 --set train.bucket_mb=0 --set train.epochs=1

# Buckets, and when they are sent, change nothing; what is rounded on the way does.
bucket=0
for settings in "train.bucket_mb=0" "train.bucket_mb=0.01" "train.bucket_mb=1000" "train.overlap=false"; do
  # shellcheck disable=SC2086
  on_ranks 3 train "$WORK/residual-run.cfg" --out "$WORK/bucket-$bucket" $steps --set quantizer.weight_bits=4 --set optimizer.weight_decay=1e-4 --set "$settings" > "$WORK/log" 2>&1 ||
    fail "$settings: $(tail -3 "$WORK/log")"
  expect 0 "equal: " "$SRQ" diff "$WORK/residual-1" "$WORK/bucket-$bucket"
  bucket=$((bucket + 1))
done
# shellcheck disable=SC2086
on_ranks 2 train "$WORK/residual-run.cfg" --out "$WORK/exact" $steps --set train.epochs=1 > "$WORK/log" 2>&1 || fail "exact: $(tail -3 "$WORK/log")"
expect 1 "different: " "$SRQ" diff "$WORK/wire-1" "$WORK/exact"

# What must differ does: another seed.
# shellcheck disable=SC2086
on_ranks 2 train "$WORK/lenet-run.cfg" --out "$WORK/seed" $steps --set train.seed=2 > /dev/null 2>&1
expect 1 "different: " "$SRQ" diff "$WORK/lenet-srq-1" "$WORK/seed"
expect 1 "only in the " "$SRQ" diff "$WORK/lenet-srq-1" "$WORK/residual-1"

# Evaluation, on any ranks, repeats what training found.
for ranks in 1 3; do
  on_ranks $ranks eval "$WORK/lenet-srq-1" > "$WORK/eval-$ranks" 2>&1 || fail "eval: $(cat "$WORK/eval-$ranks")"
  cmp -s "$WORK/eval-1" "$WORK/eval-$ranks" || fail "eval differs on $ranks ranks: $(cat "$WORK/eval-$ranks")"
done
error=$("$SRQ" inspect "$WORK/lenet-srq-1" --json | python3 -c 'import json,sys; print("%.2f" % (100*json.load(sys.stdin)["test_error"]))')
grep -q "test error $error %" "$WORK/eval-1" || fail "inspect says $error %, eval says $(cat "$WORK/eval-1")"
finish
