#!/usr/bin/env bash
# A disk that fills up while a run writes to it: status 4, one message, and what was whole stays whole.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
mkdir "$WORK/small"
mount -t tmpfs -o size=400k tmpfs "$WORK/small" 2> /dev/null || skip "a tmpfs cannot be mounted here"
trap 'umount "$WORK/small"; rm -rf "$WORK"' EXIT
for ranks in 1 3; do
  on_ranks $ranks train "$WORK/lenet-run.cfg" --out "$WORK/small/run" --set train.keep=100 --set train.checkpoint_every=1it > "$WORK/out" 2>&1
  status=$?
  [ $status = 4 ] || fail "$ranks ranks: status $status, not 4: $(tail -5 "$WORK/out")"
  grep -q "^srq: .*No space left on device" "$WORK/out" || fail "$ranks ranks: $(tail -5 "$WORK/out")"
  [ "$(grep -c '^srq: ' "$WORK/out")" = 1 ] || fail "$ranks ranks, not one message: $(tail -5 "$WORK/out")"
  for file in "$WORK/small/run/checkpoints/"*; do "$SRQ" inspect "$file" > /dev/null || fail "$file is not whole"; done
  [ -z "$(find "$WORK/small" -name '.*.tmp.*')" ] || fail "temporary files stay: $(find "$WORK/small")"
  rm -rf "$WORK/small/run"
done
expect 4 "No space left on device" "$SRQ" data import "$SOURCE/tests/data/fashion-slice" "$WORK/small/d.h5"
[ -z "$(ls -A "$WORK/small")" ] || fail "a failed import left: $(ls -A "$WORK/small")"
finish
