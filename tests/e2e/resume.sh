#!/usr/bin/env bash
# Stopped and killed runs, resumed on other numbers of ranks, end with the same bits as one that was never stopped.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
config="$WORK/residual-run.cfg"
# Long enough that a signal meets the run in its middle on a fast machine, and not longer under the slow sanitizers.
epochs=40
[ "${SANITIZED:-OFF}" = ON ] && epochs=12
long="--set train.epochs=$epochs --set train.checkpoint_every=7it --set train.average=0.95 --set train.clip_norm=1 --set data.cutout=6 --set data.brightness=0.2"
# The runs that are killed write event files for TensorBoard as well, if this build can.
events="--set train.tensorboard=true"
"$SRQ" version | grep -q "^protobuf-c *not built in" && events=""
# shellcheck disable=SC2086
{
on_ranks 2 train "$config" --out "$WORK/whole" $long > "$WORK/log" 2>&1 || fail "whole: $(tail -3 "$WORK/log")"
total=$(grep -c . "$WORK/whole/log.jsonl")
[ "$total" -gt 10 ] || fail "log.jsonl has $total lines"

# SIGKILL to every rank, again and again, at whatever moment; each time on another number of ranks.
try=0 tries="2 3 1 4 2 3"
[ "$SHORT" = ON ] && tries="2 3 1"
for ranks in $tries; do
  setsid mpirun --quiet --oversubscribe -n $ranks "$SRQ" train "$config" --out "$WORK/killed" --resume auto $long $events > "$WORK/log-$try" 2>&1 &
  pid=$!
  for _ in $(seq 400); do # until there is a checkpoint that is newer than the last try's
    sleep 0.05
    last=$(readlink "$WORK/killed/last.h5" 2> /dev/null || true)
    [ "$last" != "${before:-}" ] && break
    kill -0 $pid 2> /dev/null || break
  done
  before=$last
  kill -KILL -- -$pid 2> /dev/null
  pkill -KILL -f "$WORK/killed" 2> /dev/null
  wait $pid 2> /dev/null
  try=$((try + 1))
done
# As after a power failure, the newest event file ends in the middle of a record.
newest=$(find "$WORK/killed" -name 'events.*' | sort | tail -n 1)
[ -z "$newest" ] || printf '\x40\0\0\0\0' >> "$newest"
on_ranks 3 train "$config" --out "$WORK/killed" --resume auto $long $events > "$WORK/log" 2>&1 || fail "resumed: $(tail -3 "$WORK/log")"
same_bits "$WORK/whole" "$WORK/killed"
[ "$(grep -c '"event": "resume"' "$WORK/killed/log.jsonl")" -ge 1 ] || fail "no resume in log.jsonl"
python3 -c 'import json,sys
for line in open(sys.argv[1]): json.loads(line)' "$WORK/killed/log.jsonl" || fail "log.jsonl is not JSON line by line"

# Finished: nothing is done again.
stamp=$(stat -c %Y.%i "$WORK/killed/"checkpoints/*.h5)
on_ranks $FEW train "$config" --out "$WORK/killed" --resume auto $long $events > "$WORK/log" 2>&1 || fail "finished: $(tail -3 "$WORK/log")"
grep -q "finished before, nothing to do" "$WORK/log" || fail "does not say that it is finished: $(cat "$WORK/log")"
[ "$stamp" = "$(stat -c %Y.%i "$WORK/killed/"checkpoints/*.h5)" ] || fail "a finished run was touched"
[ "$(ls "$WORK/killed/checkpoints" | wc -l)" = 2 ] || fail "keep = 2, but there are: $(ls "$WORK/killed/checkpoints")"

# The last steps are lost and done again. The event files of all jobs together say what the log says, each step once.
rm "$(readlink -f "$WORK/killed/last.h5")"
"$SRQ" train "$config" --out "$WORK/killed" --resume auto $long $events > "$WORK/log" 2>&1 || fail "again: $(tail -3 "$WORK/log")"
same_bits "$WORK/whole" "$WORK/killed"
if [ -n "$events" ] && python3 -c 'import h5py, numpy' 2> /dev/null; then
  python3 "$SOURCE/tests/e2e/read_events.py" "$WORK/killed" > "$WORK/out" 2>&1 || fail "event files: $(tail -3 "$WORK/out")"
  grep -qE "^[0-9]+ names in [2-8] files .* [1-9][0-9]* values of lost steps dropped" "$WORK/out" || fail "event files: $(cat "$WORK/out")"
  [ -z "$(find "$WORK/whole" -name '*tfevents*')" ] || fail "event files without train.tensorboard"
  expect 2 "the path is not valid UTF-8 at byte" "$SRQ" train "$config" --out "$WORK/"$'\xff' $events
  [ ! -e "$WORK/"$'\xff' ] || fail "a refused run left a folder"
fi

# SIGTERM to one rank: status 75 on all, a checkpoint of that step, and on.
mpirun --quiet --oversubscribe -n 2 "$SRQ" train "$config" --out "$WORK/stopped" $long > "$WORK/log" 2>&1 &
pid=$!
for _ in $(seq 1000); do sleep 0.02; [ -e "$WORK/stopped/last.h5" ] && break; done
kill -TERM "$(pgrep -f "$SRQ train .*$WORK/stopped" | tail -n 1)"
wait $pid
status=$?
[ $status = 75 ] || fail "status $status after SIGTERM, not 75: $(cat "$WORK/log")"
grep -q '"event": "stop".*"reason": "signal"' "$WORK/stopped/log.jsonl" || fail "no stop by signal in log.jsonl"
on_ranks 4 train "$config" --out "$WORK/stopped" --resume auto $long > "$WORK/log" 2>&1 || fail "after SIGTERM: $(tail -3 "$WORK/log")"
same_bits "$WORK/whole" "$WORK/stopped"

# Batch-norm statistics, which are computed again if gates are learned, do not depend on checkpoints and resumes. Nor does the
# ramp of the penalty: step 14, from which a run resumes, is in its middle.
learn="--set train.epochs=3 --set dropbits.ramp=30it --set dropbits.mode=learn --set dropbits.follow=true --set quantizer.weight_bits=6 --set dropbits.penalty=0.3 --set optimizer.gate_learning_rate=0.1 --set train.average=0.9"
on_ranks $FEW train "$config" --out "$WORK/often" $learn --set train.checkpoint_every=7it --set train.keep=100 > "$WORK/log" 2>&1 || fail "often: $(tail -3 "$WORK/log")"
on_ranks 1 train "$config" --out "$WORK/once" $learn > "$WORK/log" 2>&1 || fail "once: $(tail -3 "$WORK/log")"
on_ranks 3 train "$config" --out "$WORK/second" --resume "$WORK/often/checkpoints/00000014.h5" --threads 2 $learn > "$WORK/log" 2>&1 || fail "second: $(tail -3 "$WORK/log")"
same_bits "$WORK/often" "$WORK/once"
same_bits "$WORK/often" "$WORK/second"

# The newest checkpoint is damaged: the one before it is used.
cp -r "$WORK/whole" "$WORK/hurt"
newest=$(readlink -f "$WORK/hurt/last.h5")
head -c 5000 "$newest" > "$WORK/part" && cp "$WORK/part" "$newest"
touch "$WORK/hurt/checkpoints/.00000007.h5.tmp.123" "$WORK/hurt/checkpoints/mine.txt" # a killed write; a file of the user's
on_ranks 2 train "$config" --out "$WORK/hurt" --resume auto $long > "$WORK/log" 2>&1 || fail "hurt: $(tail -3 "$WORK/log")"
grep -q "skipping a checkpoint that cannot be used" "$WORK/log" || fail "the damaged checkpoint is not mentioned: $(cat "$WORK/log")"
same_bits "$WORK/whole" "$WORK/hurt"
[ ! -e "$WORK/hurt/checkpoints/.00000007.h5.tmp.123" ] || fail "a temporary file of a dead job stays"
[ -e "$WORK/hurt/checkpoints/mine.txt" ] || fail "a file of the user's was removed"
rm -r "$WORK/hurt"

# A run directory stands for its newest whole checkpoint; the run's own for auto.
cp -r "$WORK/whole" "$WORK/hurt"
newest=$(readlink -f "$WORK/hurt/last.h5")
head -c 5000 "$newest" > "$WORK/part" && cp "$WORK/part" "$newest"
on_ranks $FEW train "$config" --out "$WORK/from-dir" --resume "$WORK/hurt" $long > "$WORK/log" 2>&1 || fail "from-dir: $(tail -3 "$WORK/log")"
grep -q "skipping a checkpoint that cannot be used" "$WORK/log" || fail "the damaged checkpoint is not mentioned: $(cat "$WORK/log")"
same_bits "$WORK/whole" "$WORK/from-dir"
expect 0 "finished before, nothing to do" "$SRQ" train "$config" --out "$WORK/from-dir" --resume "$WORK/from-dir/" $long
rm -r "$WORK/hurt"

# --resume FILE starts a run of its own from a checkpoint, here under a longer plan.
on_ranks $FEW train "$config" --out "$WORK/longer" --set train.epochs=$((epochs + 1)) --resume "$WORK/whole/last.h5" > "$WORK/log" 2>&1 || fail "longer: $(tail -3 "$WORK/log")"
grep -q "resuming from step $((epochs * 18)) *$" "$WORK/log" || fail "does not resume from step $((epochs * 18)): $(head -4 "$WORK/log")"
}
finish
