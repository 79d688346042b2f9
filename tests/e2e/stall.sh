#!/usr/bin/env bash
# A rank that stops responding: the others name it after train.stall_warn. If it responds again, the run ends with the same
# bits. If not, the run ends with status 4 after train.stall_end, and can be resumed.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
config="$WORK/residual-run.cfg"
epochs=30
[ "${SANITIZED:-OFF}" = ON ] && epochs=10
settings="--set train.epochs=$epochs --set train.checkpoint_every=9it --set train.stall_warn=1.5"

# Starts a run on 3 ranks in $pid and stops its rank 1 once there is a checkpoint.
start_and_stop_rank() { # OUT SETTINGS...
  local out=$1
  shift
  # shellcheck disable=SC2086
  timeout 120 mpirun --quiet --oversubscribe -n 3 "$SRQ" train "$config" --out "$out" $settings "$@" > "$WORK/log" 2>&1 &
  pid=$!
  for _ in $(seq 600); do sleep 0.05; [ -e "$out/last.h5" ] && break; done
  stopped=
  for process in $(pgrep -f "train $config --out $out "); do
    tr '\0' '\n' < "/proc/$process/environ" 2> /dev/null | grep -qx OMPI_COMM_WORLD_RANK=1 && stopped="$stopped $process"
  done
  [ -n "$stopped" ] || fail "rank 1 is not found: $(tail -3 "$WORK/log")"
  # shellcheck disable=SC2086
  kill -STOP $stopped
}

start_and_stop_rank "$WORK/wakes" --set train.stall_end=0
for _ in $(seq 200); do sleep 0.05; grep -q "have not arrived" "$WORK/log" && break; done
# shellcheck disable=SC2086
kill -CONT $stopped
wait $pid || fail "a run whose rank woke up ends with status $?: $(tail -3 "$WORK/log")"
grep -qE "step [0-9]+: rank 0 \(host [^)]+\) has waited [0-9]+ s for .+; ranks that have not arrived: 1 \(host [^)]+\)" "$WORK/log" ||
  fail "the rank that stands still is not named: $(cat "$WORK/log")"
[ "$(grep -c "have not arrived" "$WORK/log")" = 1 ] || fail "said more than once: $(cat "$WORK/log")"

# shellcheck disable=SC2086
on_ranks 2 train "$config" --out "$WORK/whole" $settings > "$WORK/log" 2>&1 || fail "whole: $(tail -3 "$WORK/log")"
same_bits "$WORK/whole" "$WORK/wakes"

start_and_stop_rank "$WORK/ends" --set train.stall_end=4
wait $pid
status=$?
# shellcheck disable=SC2086
kill -CONT $stopped 2> /dev/null
[ $status = 4 ] || fail "status $status, not 4, after train.stall_end: $(cat "$WORK/log")"
grep -q "longer than train.stall_end; ranks that have not arrived: 1 (host" "$WORK/log" || fail "no last word: $(cat "$WORK/log")"
grep -q '"event": "stop".*"status": 4' "$WORK/ends/log.jsonl" || fail "no stop in log.jsonl"
# shellcheck disable=SC2086
on_ranks 2 train "$config" --out "$WORK/ends" --resume auto $settings > "$WORK/log" 2>&1 || fail "resumed: $(tail -3 "$WORK/log")"
same_bits "$WORK/whole" "$WORK/ends"
finish
