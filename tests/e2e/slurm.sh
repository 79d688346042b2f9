#!/usr/bin/env bash
# slurm/*.sbatch on a SLURM cluster of two hosts on this machine (tests/lab): 2 nodes, tasks of threads, a job that is stopped
# and puts itself back until it is done, a chain, an array of seeds, mistakes that are not tried again.
# SRQ_SLURM_LONG=1 adds one that runs into its real time limit (some 6 minutes).
if [ -z "${IN_LAB:-}" ]; then
  [ "${SANITIZED:-OFF}" = ON ] && { echo "skipped: the release build runs this"; exit 77; }
  IN_LAB=1 exec timeout -k 5 "${SRQ_SLURM_LONG:+1}300" "$SOURCE/tests/lab/alone.sh" bash "$0"
fi
. "$(dirname "$0")/lib.sh"
mkdir "$WORK/cluster"
"$SOURCE/tests/lab/hosts-up.sh" 2 || { fail "the hosts do not come up"; finish; }
"$SOURCE/tests/lab/slurm-up.sh" "$WORK/cluster" 2 4 || exit $?
export SLURM_CONF=$WORK/cluster/slurm.conf
make_data
make_configs
cd "$WORK" || exit 1
long="--set train.epochs=45 --set train.checkpoint_every=7it --set train.eval_every=0"

job_state() {
  scontrol show job "$1" 2> /dev/null | grep -o 'JobState=[A-Z]*' | head -n 1
}

# Until the job has left the queue. SLURM lets one that was put back wait for two minutes, so that its nodes are done with
# the last start; here three seconds are enough.
until_done() { # JOB SECONDS
  local state until=$((SECONDS + $2)) pending=0
  while [ $SECONDS -lt $until ]; do
    state=$(job_state "$1")
    case $state in
      JobState=COMPLETED | JobState=FAILED | JobState=CANCELLED | JobState=TIMEOUT) return ;;
      JobState=PENDING) pending=$((pending + 1)) ;;
      *) pending=0 ;;
    esac
    [ -n "${SLURM_WAITS:-}" ] || [ $pending -lt 6 ] || scontrol update "JobId=$1" StartTime=now > /dev/null 2>&1
    sleep 0.5
  done
  fail "job $1 is not done after $2 s: $state; $(tail -n 5 "$WORK"/*.out)"
}

until_there() { # FILE, or a pattern
  for _ in $(seq 300); do compgen -G "$1" > /dev/null && return; sleep 0.1; done
  fail "$1 does not appear: $(tail -n 5 "$WORK"/*.out)"
}

batch() { # OUT OPTIONS... : the job's number
  local out=$1
  shift
  timeout 20 sbatch --parsable --cpus-per-task=1 --output="$WORK/$out.out" --error="$WORK/$out.out" "$@"
}

# shellcheck disable=SC2086
{
# --- 2 nodes, a task of 2 threads on each; told to stop as before a time limit; then a job that waits for its end.
job=$(batch train --nodes=2 --ntasks-per-node=1 --cpus-per-task=2 "$SOURCE/slurm/train.sbatch" residual-run.cfg run $long)
after=$(batch eval --ntasks=1 --dependency="afterok:$job" --wrap="srun --mpi=pmix $SRQ eval run")
on_ranks 1 train residual-run.cfg --out whole $long > log 2>&1 || fail "whole: $(tail -3 log)"
until_there run/last.h5
scancel --signal=USR1 --batch "$job"
until_done "$job" 60
[ "$(job_state "$job")" = JobState=COMPLETED ] || fail "the job ends as $(job_state "$job"): $(cat train.out)"
expect 0 "2 ranks on 2 nodes (h[1-2]) by srun (srun --mpi=pmix works here), 2 thread(s) each" cat train.out
expect 0 "2 ranks x 2 threads" cat train.out
expect 0 "saved; put back into the queue, restart 1" cat train.out
expect 0 "resuming from step " cat train.out
expect 0 "equal: " "$SRQ" diff whole run
until_done "$after" 30
expect 0 "test error " cat eval.out

# These take their time to fail, meanwhile.
wrong=$(batch wrong --ntasks-per-node=1 "$SOURCE/slurm/train.sbatch" residual-run.cfg wrong --set train.bach=2)
fails=$(RETRIES=2 batch fails --ntasks-per-node=1 "$SOURCE/slurm/train.sbatch" lenet-run.cfg fails --set optimizer.learning_rate=1e6 --set optimizer.method=sgd --set quantizer.method=float32)

# --- Finished: not begun again. By mpirun across the nodes, as where srun has no PMIx: the same bits.
again=$(batch again --nodes=2 --ntasks-per-node=1 "$SOURCE/slurm/train.sbatch" residual-run.cfg run $long)
until_done "$again" 30
expect 0 "finished before, nothing to do" cat again.out
job=$(LAUNCHER=mpirun batch mpirun --nodes=2 --ntasks-per-node=2 --cpus-per-task=2 "$SOURCE/slurm/train.sbatch" residual-run.cfg by-mpirun $long)
until_done "$job" 60
expect 0 "by mpirun (as LAUNCHER says), 2 thread(s) each" cat mpirun.out
expect 0 "4 ranks x 2 threads" cat mpirun.out
expect 0 "equal: " "$SRQ" diff whole by-mpirun

# --- An array of four seeds, each in a folder of its own; one of them is stopped and resumes.
short="train.epochs=70"
job=$(batch sweep-%a --array=0-3 --ntasks-per-node=1 "$SOURCE/slurm/sweep.sbatch" sweep lenet-run.cfg -- $short train.seed=1,2,3,4)
until_there "sweep/lenet-run-epochs=70-seed=3/last.h5"
scancel --signal=USR1 --batch "${job}_2"
for i in 0 1 2 3; do
  until_done "${job}_$i" 60
  [ "$(job_state "${job}_$i")" = JobState=COMPLETED ] || fail "task $i ends as $(job_state "${job}_$i"): $(cat sweep-$i.out)"
done
for seed in 1 2 3 4; do
  [ "$(grep -c "seed = $seed;" "sweep/lenet-run-epochs=70-seed=$seed/config.cfg")" = 1 ] || fail "sweep, seed $seed: $(cat sweep-*.out)"
done
on_ranks 2 train lenet-run.cfg --out seed --set $short --set train.seed=3 > log 2>&1 || fail "seed: $(tail -3 log)"
expect 0 "job ${job}_2: saved; put back into the queue, restart 1" cat sweep-2.out
[ "$(grep -l "put back" sweep-*.out)" = sweep-2.out ] || fail "others of the array are put back too: $(cat sweep-*.out)"
expect 0 "equal: " "$SRQ" diff seed "sweep/lenet-run-epochs=70-seed=3"
[ "$FAILED" = 0 ] || cat sweep-2.out
printf '# two runs\nlenet-run.cfg one --set train.max_steps=1\n\nlenet-run.cfg two --set train.max_steps=2\n' > lines.txt
job=$(batch lines-%a --array=1-2 --ntasks-per-node=1 "$SOURCE/slurm/sweep.sbatch" lined lines.txt)
for i in 1 2; do until_done "${job}_$i" 30; done
[ -e lined/two/checkpoints/00000002.h5 ] || fail "the second line: $(cat lines-1.out)"
expect 0 "there is no run 2: there are 2, 0 to 1" cat lines-2.out

# --- A sweep: a run in each task of an array, and a table in one job, which is stopped and put back. All paths have blanks.
mkdir "my scripts" "my runs" && cp "$SOURCE"/slurm/*.sbatch "my scripts/"
cp lenet-run.cfg "my runs/net 1.cfg"
sed -i "s|model = \"|&../|; s|file = \"|&../|" "my runs/net 1.cfg"
job=$(batch table-%a --array=0-1 --ntasks-per-node=1 "my scripts/table.sbatch" "my runs/net 1.cfg" "my runs/grid" --set train.max_steps=1,2)
table=$(batch table --ntasks-per-node=2 "my scripts/table.sbatch" "my runs/net 1.cfg" "my runs/seeds" --set $short --set train.seed=1,2)
printf '%s\n' 'my\ runs/net\ 1.cfg one\ run --set train.max_steps=1' > "my runs/lines.txt"
line=$(batch line-%a --array=0-0 --ntasks-per-node=1 "my scripts/sweep.sbatch" "my runs/lined" "my runs/lines.txt")
until_there "my runs/seeds/net_1-seed1-*/last.h5"
scancel --signal=USR1 --batch "$table"
for i in 0 1; do
  until_done "${job}_$i" 30
  [ "$(job_state "${job}_$i")" = JobState=COMPLETED ] || fail "task $i of the table: $(cat table-$i.out)"
done
until_done "${line}_0" 30
[ -e "my runs/lined/one run/checkpoints/00000001.h5" ] || fail "a line with blanks: $(cat line-0.out)"
until_done "$table" 60
[ "$(job_state "$table")" = JobState=COMPLETED ] || fail "the table ends as $(job_state "$table"): $(cat table.out)"
expect 0 "saved; put back into the queue, restart 1" cat table.out
expect 0 "2 runs in my runs/grid: 2 finished" "$SRQ" sweep "my runs/net 1.cfg" --out "my runs/grid" --set train.max_steps=1,2 --dry-run
expect 0 "2 runs in my runs/seeds: 2 finished" "$SRQ" sweep "my runs/net 1.cfg" --out "my runs/seeds" --set $short --set train.seed=1,2 --dry-run

# --- A ticket: its first stage stopped and put back, another one in a job that waits for it.
sed 's/^train = {/quantizer = { weight_bits = 4; }; dropbits = { mode = "learn"; }; train = {/' lenet-run.cfg > ticket.cfg
job=$(batch learn --nodes=2 --ntasks-per-node=1 "$SOURCE/slurm/ticket.sbatch" ticket.cfg ticket --stage learn $long)
after=$(batch rewind --ntasks-per-node=2 --dependency="afterok:$job" "$SOURCE/slurm/ticket.sbatch" ticket.cfg ticket --stage rewind $long)
until_there ticket/seed-1/learn/last.h5
scancel --signal=USR1 --batch "$job"
until_done "$job" 60
until_done "$after" 60
[ "$(job_state "$after")" = JobState=COMPLETED ] || fail "stage rewind ends as $(job_state "$after"): $(cat learn.out rewind.out)"
expect 0 "saved; put back into the queue, restart 1" cat learn.out
on_ranks 1 ticket ticket.cfg --out alone --stage learn --stage rewind $long > log 2>&1 || fail "ticket: $(tail -3 log)"
for stage in learn rewind; do expect 0 "equal: " "$SRQ" diff "alone/seed-1/$stage" "ticket/seed-1/$stage"; done

# --- A mistake is not tried again; a failing run is, but not for ever; a cancelled job stays so.
until_done "$wrong" 30
expect 0 "srq ended with status 2: correct what the message above names" cat wrong.out
[ "$(job_state "$wrong")" = JobState=FAILED ] || fail "a mistake ends as $(job_state "$wrong"): $(cat wrong.out)"
until_done "$fails" 60
[ "$(grep -c "put back into the queue, restart 1" fails.out)" = 1 ] || fail "a failing run is not tried again: $(cat fails.out)"
expect 0 "that is 2, so it is not put back into the queue" cat fails.out
[ "$(job_state "$fails")" = JobState=FAILED ] || fail "a failing run ends as $(job_state "$fails")"
job=$(batch cancelled --ntasks-per-node=2 "$SOURCE/slurm/train.sbatch" residual-run.cfg cancelled $long)
until_there cancelled/last.h5
scancel "$job"
until_done "$job" 30
[ "$(job_state "$job")" = JobState=CANCELLED ] || fail "a cancelled job is $(job_state "$job"): $(cat cancelled.out)"

# --- The real limit: a minute, with the signal 40 s before it, until the run is done.
if [ -n "${SRQ_SLURM_LONG:-}" ]; then
  more="--set train.epochs=${SRQ_SLURM_LONG_EPOCHS:-300} --set train.checkpoint_every=50it --set train.eval_every=0"
  job=$(MARGIN=40 batch limit --time=1 --signal=B:USR1@40 --nodes=2 --ntasks-per-node=2 "$SOURCE/slurm/train.sbatch" residual-run.cfg limit $more)
  SLURM_WAITS=1 until_done "$job" 900
  cat limit.out
  on_ranks 1 train residual-run.cfg --out uncut $more > log 2>&1 || fail "uncut: $(tail -3 log)"
  expect 0 "put back into the queue, restart 1" cat limit.out
  expect 0 "equal: " "$SRQ" diff uncut limit
fi
}
finish
