#!/usr/bin/env bash
# A rank that dies ends the job in a few seconds, with status 4 and one message that names it; requests to stop reach a
# rank through either of its processes; time limits stop a run. Each run resumes and ends with the bits of an undisturbed run.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
config="$WORK/residual-run.cfg"
endless="--set train.epochs=200000 --set train.checkpoint_every=7it --set train.eval_every=0 --set schedule.method=constant"

# begin DIR: a run on 3 ranks, until it has a checkpoint. Sets `job`, the processes that watch over ranks
# (`supervisors`) and those that work (`workers`), in the order of ranks.
begin() {
  log="$1.log" run=$1
  # shellcheck disable=SC2086
  mpirun --quiet --oversubscribe -n 3 "$SRQ" train "$config" --out "$1" $endless > "$log" 2>&1 &
  job=$!
  for _ in $(seq 1500); do sleep 0.02; [ -e "$1/last.h5" ] && break; done
  supervisors=() workers=()
  for process in $(pgrep -P $job); do
    rank=$(tr '\0' '\n' < "/proc/$process/environ" | sed -n 's/^OMPI_COMM_WORLD_RANK=//p')
    supervisors[rank]=$process
    workers[rank]=$(pgrep -P "$process")
  done
  [ "${#workers[@]}" = 3 ] || fail "not 3 ranks: ${supervisors[*]} / ${workers[*]}"
}

# Process numbers are soon given to others: only those of this run count. One that has ended has no command line.
alive() {
  { tr '\0' ' ' < "/proc/$1/cmdline"; } 2> /dev/null | grep -qF -- "--out $run "
}

# ends STATUS: within 40 s, and nothing of it stays.
ends() {
  for _ in $(seq 2000); do kill -0 $job 2> /dev/null || break; sleep 0.02; done
  kill -0 $job 2> /dev/null && fail "runs on after 40 s: $(cat "$log")" && kill -KILL $job "${workers[@]}"
  wait $job
  status=$?
  [ $status = "$1" ] || fail "status $status, not $1: $(cat "$log")"
  # The launcher does not wait for those that it kills.
  for process in "${supervisors[@]}" "${workers[@]}"; do
    for _ in $(seq 1500); do alive "$process" || break; sleep 0.02; done
    ! alive "$process" || fail "process $process stays"
  done
}

says() { # WORDS, in the only message
  [ "$(grep -c '^srq: ' "$log")" = 1 ] || fail "not one message: $(cat "$log")"
  grep '^srq: ' "$log" | grep -qF -- "$1" || fail "\"$1\" is not in: $(grep '^srq: ' "$log")"
}

# Each in a process of its own: most of the time they wait for the launcher.
kill_one() {
  export SRQ_SHARE=always
  begin "$WORK/killed"
  # What ranks share is in no folder, where it would stay behind.
  grep -q '/memfd:srq' "/proc/${workers[0]}/maps" || fail "ranks do not share memory"
  ! grep '/dev/shm/[^ ]*srq' "/proc/${workers[0]}/maps" || fail "ranks share memory that has a name"
  kill -KILL "${workers[1]}"
  ends 4
  says "srq: rank 1 (process ${workers[1]} on $(hostname)) was ended by signal 9 (SIGKILL)"
  grep -A 1 '^srq: ' "$log" | grep -qF -- "train $config --out $WORK/killed $endless --resume auto" || fail "does not say how to go on: $(cat "$log")"
}
crash_one() {
  begin "$WORK/segv"
  kill -SEGV "${workers[2]}"
  ends 4
  says "srq: rank 2 (process ${workers[2]} on $(hostname)) was ended by signal 11 (SIGSEGV)"
}
kill_all() {
  begin "$WORK/all"
  kill -KILL "${workers[@]}"
  ends 4
  says "srq: rank 0 (process ${workers[0]} on $(hostname)) was ended by signal 9"
}
# The process that watches: its rank goes with it, and the launcher's word is the only one.
kill_the_watch() {
  begin "$WORK/watch"
  kill -KILL "${supervisors[1]}"
  ends 137
  ! grep '^srq: ' "$log" || fail "a message of a rank that did not fail"
}
# Memory that ranks share, beyond a limit: refused before anything is trained, by one message.
too_much() {
  export SRQ_SHARE=always
  log="$WORK/limit.log"
  sed "s|model = \"[^\"]*\"|model = \"$SOURCE/experiments/models/lenet5.cfg\"|" "$WORK/lenet-run.cfg" > "$WORK/whole-run.cfg"
  OMPI_MCA_btl=tcp,self timeout 60 mpirun --quiet --oversubscribe -n 2 bash -c 'ulimit -f 1000 && exec "$0" "$@"' \
    "$SRQ" train "$WORK/whole-run.cfg" --out "$WORK/limit" > "$log" 2>&1
  status=$?
  [ $status = 4 ] || fail "status $status, not 4: $(cat "$log")"
  says "the ranks cannot share "
  says " MB of memory, for gradients: File too large"
}
ask_the_watch() {
  begin "$WORK/asked"
  kill -USR1 "${supervisors[1]}"
  ends 75
  tail -n 1 "$WORK/asked/log.jsonl" | grep -q '"reason": "signal", "status": 75' || fail "not by a signal: $(tail -n 1 "$WORK/asked/log.jsonl")"
}
cases="kill_one crash_one kill_all kill_the_watch ask_the_watch too_much"
[ "${SANITIZED:-OFF}" = ON ] && cases="kill_one ask_the_watch"
started=()
for each in $cases; do
  { "$each"; exit "$FAILED"; } &
  started+=($!)
done
for each in "${started[@]}"; do wait "$each" || FAILED=1; done

# The clock: --max-time, and SLURM's end of the job.
# shellcheck disable=SC2086
on_ranks 2 train "$config" --out "$WORK/clock" $endless --max-time 1s > "$WORK/log" 2>&1
[ $? = 75 ] || fail "not 75 after --max-time: $(cat "$WORK/log")"
grep -q 'stopped after step .* (max-time), saved' "$WORK/log" || fail "does not say why: $(cat "$WORK/log")"
tail -n 1 "$WORK/clock/log.jsonl" | grep -q '"reason": "max-time"' || fail "not by --max-time: $(tail -n 1 "$WORK/clock/log.jsonl")"
# shellcheck disable=SC2086
SLURM_JOB_END_TIME=$(($(date +%s) + 3)) expect 75 "(slurm-end-time), saved" timeout 60 "$SRQ" train "$config" --out "$WORK/slurm" $endless
tail -n 1 "$WORK/slurm/log.jsonl" | grep -q '"reason": "slurm-end-time"' || fail "not by SLURM's end: $(tail -n 1 "$WORK/slurm/log.jsonl")"
expect 2 "--max-time is \"soon\"" "$SRQ" train "$config" --out "$WORK/never" --max-time soon
[ ! -e "$WORK/never" ] || fail "a run was begun"

# Killed runs resume and end with the bits of an undisturbed run. A job end that has passed is ignored.
export SLURM_JOB_END_TIME=$(($(date +%s) - 100))
steps=$(basename "$(readlink "$WORK/killed/last.h5")" .h5)
steps=$((10#$steps + 9))
for run in killed whole; do
  resume=never
  [ $run = whole ] || resume="$WORK/killed/last.h5"
  # shellcheck disable=SC2086
  on_ranks 2 train "$config" --out "$WORK/$run-on" $endless --set train.max_steps=$steps --resume "$resume" > "$WORK/log" 2>&1 || fail "$run: $(tail -n 3 "$WORK/log")"
done
same_bits "$WORK/whole-on" "$WORK/killed-on"
finish
