#!/usr/bin/env bash
# Every command once, for the sanitizers: those above all that other scripts try at length in the release build only. What
# they print is those scripts' subject; here srq must end as it should, and no sanitizer may find anything.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
cd "$WORK" || exit 1
clean() { # STATUS COMMAND...
  local status=$1 found
  shift
  "$@" > out 2>&1
  found=$?
  [ "$found" = "$status" ] || fail "status $found, not $status: $* :: $(tail -n 25 out | head -c 3000)"
}
short="--set train.epochs=4it --set train.eval_every=0"

# Runs: learned bit-lengths, an inverted residual from other weights, and several ranks.
clean 0 "$SRQ" ticket lenet-run.cfg --out ticket --quiet --seeds 1,2 --set train.epochs=6it --set train.checkpoint_every=2it --set dropbits.mode=learn \
  --set dropbits.follow=true --set quantizer.weight_bits=6 --set quantizer.activation_bits=3 --set optimizer.gate_learning_rate=0.3 \
  --set prune.levels=1 --set prune.rate=0.4 --set prune.rewind=2it --stage learn --stage rewind --stage uniform-above --stage prune-01 --stage reinit-01
clean 0 "$SRQ" ticket lenet-run.cfg --out ticket --stage compare --set dropbits.mode=learn --set dropbits.follow=true --set quantizer.weight_bits=6 \
  --set quantizer.activation_bits=3 --set optimizer.gate_learning_rate=0.3 --set train.epochs=6it --set train.checkpoint_every=2it \
  --set prune.levels=1 --set prune.rate=0.4 --set prune.rewind=2it
# shellcheck disable=SC2086
{
clean 0 "$SRQ" sweep inverted-run.cfg --out grid $short --set quantizer.method=srq,rq --set quantizer.granularity=channel --set train.average=0.9 \
  --set train.clip_norm=1.0 --set train.slices=2 --threads 2
clean 0 "$SRQ" sweep inverted-run.cfg --out grid $short --set quantizer.method=srq,rq --set quantizer.granularity=channel --set train.average=0.9 \
  --set train.clip_norm=1.0 --set train.slices=2 --list
run=$(find grid -maxdepth 1 -name '*rq*' -type d | sort | head -n 1)
clean 0 on_ranks 3 train residual-run.cfg --out residual $short --set quantizer.weight_bits=3
clean 0 "$SRQ" train inverted-run.cfg --out tuned $short --set train.init="$run" --set quantizer.weight_bits=2 --set train.tensorboard=true
clean 0 "$SRQ" train residual-run.cfg --out some $short --set train.init="$run" --set train.init_match=partial
}

# What reads them.
for what in "" --json --tensors --trained first.conv/weight; do
  # shellcheck disable=SC2086
  clean 0 "$SRQ" inspect "$run" $what
done
clean 0 "$SRQ" inspect ticket/seed-1/learn
clean 0 "$SRQ" inspect ticket/seed-1/prune-01 --json
clean 1 "$SRQ" diff --all ticket/seed-1/learn ticket/seed-2/learn
clean 0 "$SRQ" diff "$run" "$run"
clean 0 "$SRQ" eval "$run" --classes --json
clean 0 "$SRQ" report ticket grid residual tuned --out report
clean 0 "$SRQ" report ticket --out tickets
clean 0 "$SRQ" data info slice.h5

# What leaves.
clean 0 "$SRQ" export "$run" --to h5 net.h5
clean 0 "$SRQ" export "$run" --to c net.c
for options in "onnx whole.onnx" "onnx pairs.onnx --style qdq" "qonnx bits.onnx"; do
  # shellcheck disable=SC2086
  clean 0 "$SRQ" export "$run" --to $options
done
clean 0 "$SRQ" export ticket/seed-1/prune-01 --to c pruned.c
clean 0 "$SRQ" inspect net.h5
clean 0 "$SRQ" eval net.h5 --data slice.h5
clean 0 "$SRQ" predict net.h5 slice.h5 --top 2 --logits

# What measures.
clean 0 "$SRQ" bench quantizer --elements 1000 --seconds 0.01 --bits 2,3 --model none
clean 0 "$SRQ" bench step --model residual.cfg --batch 24 --shards 3 --seconds 0.05 --threads 2 --slices 2 --layers
clean 0 on_ranks 2 bench step --model inverted.cfg --batch 16 --shards 4 --seconds 0.05 --json
clean 0 on_ranks 3 bench allreduce --elements 1000 --seconds 0.05
clean 0 "$SRQ" check golden "$SOURCE/tests/golden/quantizers.h5"
finish
