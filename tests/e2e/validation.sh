#!/usr/bin/env bash
# A run with validation images and early stopping: killed and resumed on other numbers of ranks it is that of an
# uninterrupted one, with the same best checkpoint; the test images are evaluated once, with it; every output says so.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
cd "$WORK" || exit 1
cat > run.cfg << 'END'
model = "lenet.cfg"; data = { file = "slice.h5"; validation = 0.2; };
train = { batch = 60; epochs = 40; patience = 2; eval_every = "3it"; checkpoint_every = "5it"; keep = 1; seed = 3; average = 0.5; };
optimizer = { learning_rate = 4e-2; }; quantizer = { weight_bits = 3; activation_bits = 3; };
END
same() { # RUN: its last and best checkpoints are those of the whole run, and so is its test
  same_bits whole/last.h5 "$1/last.h5"
  same_bits whole/best.h5 "$1/best.h5"
  [ "$(readlink "$1/best.h5")" = "$best" ] || fail "$1: best.h5 is $(readlink "$1/best.h5"), not $best"
  [ "$(result "$1")" = "$(result whole)" ] || fail "$1: $(result "$1"), not $(result whole)"
}
result() { grep '"event": "test"' "$1/log.jsonl" | tail -n 1 | sed 's/.*\("best_step".*"test_count": [0-9]*\).*/\1/'; }
"$SRQ" train run.cfg --out whole > log 2>&1 || fail "whole: $(tail -3 log)"
best=$(readlink whole/best.h5)
last=$(readlink whole/last.h5)
[ -n "$best" ] && [ "$best" != "$last" ] || fail "the best checkpoint is the last: $best"
[ "$(find whole/checkpoints -name '*.h5' | wc -l)" = 3 ] || fail "kept: $(ls whole/checkpoints)"
grep -q "training ended early, after step .* of .*: no better validation error in 2 evaluations (train.patience)" log || fail "$(tail -4 log)"
grep -q '"reason": "early-stop", "status": 0' whole/log.jsonl || fail "the log does not say why it ends"
grep -q "test_error" <(grep '"event": "eval"' whole/log.jsonl) && fail "the test images were evaluated during training"
[ "$(grep -c '"event": "test"' whole/log.jsonl)" = 1 ] || fail "not one test"
shown=$(sed -n 's/^done: test error \([0-9.]* %\) of the checkpoint with the lowest validation error (best.h5: step .*/\1/p' log)
expect 0 "test error $shown (" "$SRQ" eval whole/best.h5
grep -q "^of the checkpoint with the lowest validation error" out || fail "eval: $(cat out)"
expect 0 "(best.h5), which is the one to report" "$SRQ" eval whole
expect 0 "test   error $shown" "$SRQ" inspect whole
expect 0 "this checkpoint has the lowest validation error" "$SRQ" inspect whole/best.h5
expect 0 "finished early (train.patience)" "$SRQ" report --follow whole

descendants() {
  local child
  for child in $(pgrep -P "$1"); do echo "$child $(descendants "$child")"; done
}
# Kills at any moment, each on another number of ranks.
for start in "mpirun --quiet --oversubscribe -n 3" ""; do
  before=$(readlink killed/last.h5 2> /dev/null)
  # shellcheck disable=SC2086
  $start "$SRQ" train run.cfg --out killed --resume auto > log 2>&1 &
  pid=$!
  for _ in $(seq 1000); do
    sleep 0.01
    [ "$(readlink killed/last.h5 2> /dev/null)" != "$before" ] && break
    kill -0 $pid 2> /dev/null || break
  done
  # shellcheck disable=SC2046
  kill -KILL $(descendants $pid) $pid 2> /dev/null
  wait $pid 2> /dev/null
done
on_ranks 2 train run.cfg --out killed --resume auto > log 2>&1 || fail "resumed: $(tail -3 log)"
same killed

# Finished: nothing is done again.
stamp=$(stat -c %Y.%i killed/checkpoints/*.h5)
expect 0 "finished before, nothing to do: test error $shown" "$SRQ" train run.cfg --out killed --resume auto
[ "$stamp" = "$(stat -c %Y.%i killed/checkpoints/*.h5)" ] || fail "a finished run was touched"
# The job died before the line of the test: it is made up for. It died before its last checkpoint: so is that.
sed -i '/"event": "test"/d; /"event": "stop"/d' killed/log.jsonl
expect 0 "done: test error $shown" "$SRQ" train run.cfg --out killed --resume auto
same killed
rm "killed/$last"
expect 0 "done: test error $shown" "$SRQ" train run.cfg --out killed --resume auto
same killed

# A run of its own from a checkpoint takes the best one along, from wherever it is.
expect 0 "done: test error $shown" "$SRQ" train run.cfg --out second --resume "whole/$best"
same second
expect 0 "done: test error $shown" "$SRQ" train run.cfg --out third --resume whole/last.h5
same third
# Without it, no resume could end like the whole run.
cp -r whole lost
head -c 5000 "whole/$best" > "lost/$best"
expect 3 "its best checkpoint cannot be used" "$SRQ" train run.cfg --out lost --resume auto
expect 0 "the best one is sought from step" "$SRQ" train run.cfg --out fourth --resume lost/last.h5 --set train.patience=1
# Other validation images: their errors cannot be compared with those before.
expect 0 "was trained with other validation images" "$SRQ" train run.cfg --out fifth --resume whole/last.h5 --set train.seed=4 --set train.patience=1

# What cannot be, and what is as ever.
expect 2 "--set train.patience=4: train.patience is 4, but train.eval_every is 0" "$SRQ" train run.cfg --out no --set train.patience=4 --set train.eval_every=0
expect 2 "train.patience is 2, but data.validation is 0" "$SRQ" train run.cfg --out no --set data.validation=0
expect 2 "data.validation is 1024, which is 1024 of the 1024 training images" "$SRQ" train run.cfg --out no --set data.validation=1024
[ ! -e no ] || fail "a refused run left a folder"
expect 0 "done: test error" "$SRQ" train run.cfg --out plain --set data.validation=0 --set train.patience=0 --set train.epochs=1 --set train.max_steps=3
[ -e plain/last.h5 ] && [ ! -e plain/best.h5 ] || fail "best.h5 without validation images"
finish
