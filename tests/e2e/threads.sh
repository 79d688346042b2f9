#!/usr/bin/env bash
# The same bits on any number of ranks and threads, with and without slices: batch-norm over slices, learned bit-lengths,
# depthwise convolutions, both back ends; after a kill, with another shape; in evaluation. And what --threads and
# train.slices refuse. tests/invariance.sh does this at length.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
cd "$WORK" || exit 1
steps="--set train.max_steps=19"
shapes="1x8 2x2 3x2"
[ "$SHORT" = ON ] && shapes="1x3 2x2"

run() { # RANKSxTHREADS FOLDER CONFIG SETTINGS...
  local ranks=${1%x*} threads=${1#*x} folder=$2 config=$3
  shift 3
  if [ "$ranks" = 1 ]; then
    # shellcheck disable=SC2086
    timeout 240 "$SRQ" train "$config" --out "$folder" $steps --threads "$threads" "$@" > log 2>&1
  else
    # shellcheck disable=SC2086
    on_ranks "$ranks" train "$config" --out "$folder" $steps --threads "$threads" "$@" > log 2>&1
  fi || fail "$folder: $(tail -3 log)"
}

compare() { # NAME CONFIG SETTINGS...
  local name=$1 config=$2 shape
  shift 2
  for shape in 1x1 $shapes; do
    run "$shape" "$name-$shape" "$config" "$@"
    [ "$shape" = 1x1 ] || same_bits "$name-1x1" "$name-$shape"
  done
}
compare residual residual-run.cfg --set train.slices=4 --set quantizer.weight_bits=4 --set optimizer.weight_decay=1e-4
shapes="2x3"
[ "$SHORT" = ON ] || shapes="1x2 2x3"
compare learned residual-run.cfg --set train.slices=3 --set quantizer.weight_bits=6 --set dropbits.mode=learn --set dropbits.follow=true --set dropbits.penalty=0.3 --set optimizer.gate_learning_rate=0.3
[ "$SHORT" = ON ] || shapes="3x3"
compare lenet lenet-run.cfg --set train.wire=bfloat16 --set train.bucket_mb=0
[ "$SHORT" = ON ] || shapes="1x3"
compare inverted inverted-run.cfg --set train.slices=2 --set quantizer.granularity=channel --set quantizer.method=rq
compare reference inverted-run.cfg --set train.slices=5 --set train.engine=reference --set train.max_steps=7

# Gradients of 8 bits, whose noise and scale belong to a slice; and what was lost is done again.
if "$SRQ" version | grep -q "^CPU .* avx512_" && "$SRQ" version | grep -q "^oneDNN *[0-9]"; then
  shapes="2x2"
  compare integer residual-run.cfg --set train.engine=integer --set train.slices=2 --set quantizer.weight_bits=4 --set train.max_steps=7 --set train.checkpoint_every=3it
  grep -q '"engine": "oneDNN integer"' integer-1x1/log.jsonl || fail "log: $(head -c 400 integer-1x1/log.jsonl)"
  rm "$(readlink -f integer-2x2/last.h5)"
  run 1x3 integer-2x2 residual-run.cfg --set train.engine=integer --set train.slices=2 --set quantizer.weight_bits=4 --set train.max_steps=7 --set train.checkpoint_every=3it --resume auto
  same_bits integer-1x1 integer-2x2
else
  expect 2 "which needs a CPU with AVX-512 and VNNI" "$SRQ" train residual-run.cfg --out integer --set train.engine=integer
fi
expect 2 "which needs a CPU with AVX-512 and VNNI" env SRQ_MAX_ISA=x86-64 "$SRQ" train residual-run.cfg --out integer --set train.engine=integer

# Slices change the result where batch-norm or the order of sums is concerned; one slice is as if there were none.
run 1x2 none residual-run.cfg --set quantizer.weight_bits=4 --set optimizer.weight_decay=1e-4
expect 1 "different: " "$SRQ" diff none residual-1x1

# More slices than images of a shard (60 / 8): some slices are empty.
[ "$SHORT" = ON ] || shapes="2x4"
compare empty residual-run.cfg --set train.slices=20

# Ranks of two nodes (SRQ_NODE), placed by node and not, with weights that ranks share (512 KB and more) and weights that they
# do not; an average, which only the owner of a slice has; a stop on one shape and a resume on another.
[ "$SHORT" = ON ] || placements="RANK/2 RANK%2"
sed "s|model = \"[^\"]*\"|model = \"$SOURCE/experiments/models/lenet5.cfg\"|" lenet-run.cfg > whole-run.cfg
average="--set train.average=0.9 --set train.checkpoint_every=2it --set train.eval_every=3it --set train.max_steps=7 --set train.keep=9"
by_node() { # RANKS PLACE FOLDER: PLACE is the number of a rank's node
  # shellcheck disable=SC2016,SC2086
  OMPI_MCA_odls_base_sigkill_timeout=0 timeout 240 mpirun --quiet --oversubscribe -n "$1" bash -c 'RANK=$OMPI_COMM_WORLD_RANK SRQ_NODE=$(('"${2//RANK/OMPI_COMM_WORLD_RANK}"')) exec "$0" "$@"' \
    "$SRQ" train whole-run.cfg --out "$3" $average --threads 1 --resume auto > log 2>&1
}
# shellcheck disable=SC2086
timeout 240 "$SRQ" train whole-run.cfg --out whole $average --threads 1 > log 2>&1 || fail "whole: $(tail -3 log)"
for place in ${placements:-RANK%2}; do
  by_node 4 "$place" "by-$place" || fail "nodes by $place: $(tail -3 log)"
  same_bits whole "by-$place"
  grep -q '"ranks": 4, "nodes": 2, "shared": true' "by-$place/log.jsonl" || fail "nodes by $place: $(head -c 300 "by-$place/log.jsonl")"
done
grep -q "the launcher has not placed the ranks by node, so srq numbers them by node" log || fail "the numbers of ranks: $(cat log)"
mkdir stopped && cp whole/config.cfg stopped/ && cp -r whole/checkpoints stopped/ && head -n 1 whole/log.jsonl > stopped/log.jsonl
rm stopped/checkpoints/0000000[67].h5
SRQ_SHARE=always on_ranks 3 train whole-run.cfg --out stopped $average --threads 1 --resume auto > log 2>&1 || fail "stopped: $(tail -3 log)"
grep -q '"ranks": 3, "nodes": 1, "shared": true' stopped/log.jsonl || fail "one node: $(tail -n 1 stopped/log.jsonl | head -c 300)"
SRQ_SHARE=sometimes expect 2 "SRQ_SHARE in the environment of a rank must be auto, always or never" on_ranks 2 train whole-run.cfg --out wish
[ "$(grep -c '^srq: ' "$WORK/out")" = 1 ] || fail "not one message: $(cat "$WORK/out")"
expect 0 "resuming from step 4" cat log
same_bits whole stopped

# A kill with one shape, a resume with another.
(
  on_ranks 2 train residual-run.cfg --out killed $steps --threads 2 --set train.slices=4 --set quantizer.weight_bits=4 --set optimizer.weight_decay=1e-4 \
    --set train.checkpoint_every=2it > log 2>&1 &
  for _ in $(seq 600); do
    [ -e killed/checkpoints/00000006.h5 ] && break
    sleep 0.05
  done
  pkill -KILL -f -- "--out killed " 2> /dev/null
  wait
) 2> /dev/null
[ -e killed/last.h5 ] || fail "no checkpoint before the kill: $(tail -3 log)"
run 1x3 killed residual-run.cfg --set train.slices=4 --set quantizer.weight_bits=4 --set optimizer.weight_decay=1e-4 --set train.checkpoint_every=2it --resume auto
same_bits residual-1x1 killed

# Evaluation by any shape.
"$SRQ" eval residual-1x1 --threads 1 > eval-1 2>&1
for threads in 2 5; do
  "$SRQ" eval residual-1x1 --threads $threads > eval-n 2>&1
  cmp -s eval-1 eval-n || fail "eval on $threads threads: $(cat eval-n)"
done

# What is said, and what is refused.
grep -q '"threads": 2, "threads_from": "--threads"' residual-2x2/log.jsonl || fail "log: $(head -c 400 residual-2x2/log.jsonl)"
expect 0 "rank has at most 8 slices of shards" "$SRQ" train lenet-run.cfg --out many --threads 9 --set train.max_steps=1
expect 0 "1 rank x 3 threads" env OMP_NUM_THREADS=3 "$SRQ" train lenet-run.cfg --out environment --set train.max_steps=1
for word in 0 -1 all 4097 2.5 ""; do everywhere 2 "--threads must be a whole number from 1 to 4096, but is \"$word\"" train lenet-run.cfg --out r --threads "$word"; done
everywhere 2 "train.slices is 0" train lenet-run.cfg --out r --set train.slices=0
everywhere 2 "train.shards = 60 times train.slices = 256 is more than 4096" train lenet-run.cfg --out r --set train.shards=60 --set train.slices=256
finish
