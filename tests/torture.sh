#!/usr/bin/env bash
# usage: tests/torture.sh [KILLS] [SEED]
# Kills training at random moments, KILLS times (100), many of them inside checkpoint writes: a random rank, or all and the
# launcher; and resumes each time on a random number of ranks from 1 to 4. After each kill nothing is in the run directory
# but whole checkpoints, known files, and at most temporary files, which the next start sweeps. What comes to its end
# equals, bit for bit, a run that was never stopped; then another begins, until all kills are done.
# SRQ names the program (build/release/bin/srq); everything is written to a folder in TMPDIR and removed.
set -u
SOURCE=$(cd "$(dirname "$0")/.." && pwd)
SRQ=${SRQ:-$SOURCE/build/release/bin/srq}
kills=${1:-100} seed=${2:-$((RANDOM + 1))}
RANDOM=$seed
WORK=$(mktemp -d "${TMPDIR:-/tmp}/srq-torture-XXXXXX")
launcher=
trap '[ -z "$launcher" ] || kill -KILL -- -"$launcher" 2> /dev/null; rm -rf "$WORK"' EXIT
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
shopt -s nullglob

die() {
  echo "torture: $* (seed $seed, kill $done)"
  exit 1
}

# A million weights, so that writing them takes a while; a checkpoint at every other step.
"$SRQ" data import "$SOURCE/tests/data/fashion-slice" "$WORK/slice.h5" > "$WORK/log" || { cat "$WORK/log"; exit 1; }
cat > "$WORK/model.cfg" << 'END'
name = "wide"; input = { height = 28; width = 28; channels = 1; };
layers = (
  { name = "fc1"; type = "dense"; out = 1280; }, { name = "bn"; type = "batch_norm"; }, { name = "relu"; type = "relu"; },
  { name = "act"; type = "quantize"; }, { name = "fc2"; type = "dense"; out = 10; } );
END
epochs=$((kills / 4 + 1 < 12 ? kills / 4 + 1 : 12)) # about as long as the kills take
sed "s/EPOCHS/$epochs/" > "$WORK/torture.cfg" << 'END'
model = "model.cfg"; data = { file = "slice.h5"; };
train = { batch = 64; shards = 8; epochs = EPOCHS; checkpoint_every = "2it"; log_every = "1it"; eval_every = "4ep"; keep = 2; };
quantizer = { method = "srq"; weight_bits = 4; activation_bits = 4; };
dropbits = { mode = "learn"; };
END
train() { # RANKS DIR: in a process group of its own
  touch "$WORK/mark"
  setsid mpirun --quiet --oversubscribe -n "$1" "$SRQ" train "$WORK/torture.cfg" --out "$2" --resume auto > "$WORK/log" 2>&1 &
  launcher=$!
}

run=$WORK/run done=0 of_all=0 of_one=0 inside=0 finished=0 swept=0 looked_at=0 early=0
declare -a left=()

temporaries() { left=("$run"/.*.tmp.* "$run"/checkpoints/.*.tmp.*); }

# Everything that is there is known, and what is a checkpoint is whole.
look() {
  local file
  for file in "$run"/* "$run"/.[!.]* "$run"/checkpoints/* "$run"/checkpoints/.[!.]*; do
    case ${file#"$run"/} in
      config.cfg | log.jsonl | bits.cfg | checkpoints) ;;
      last.h5 | checkpoints/[0-9]*.h5)
        "$SRQ" inspect "$file" > "$WORK/inspect" 2>&1 || die "$file is not whole: $(cat "$WORK/inspect")"
        looked_at=$((looked_at + 1))
        ;;
      .config.cfg.tmp.* | .bits.cfg.tmp.* | .last.h5.tmp.* | checkpoints/.[0-9]*.h5.tmp.*) ;;
      *) die "$file was left behind" ;;
    esac
  done
}

ranks_of() { mapfile -t pids < <(pgrep -P "$launcher" -f "$SRQ" || true); }

# A moment: now and then while the job starts; else when it has written a checkpoint, after a random time or (two of
# three) once it writes another. Polling without a pause finds a file that is there for a few milliseconds. False if the
# run ends before.
await_moment() {
  local deadline=$((SECONDS + 120)) spin
  early=0
  if [ $((RANDOM % 8)) = 0 ]; then
    early=1
    sleep "0.$(printf %03d $((RANDOM % 1000)))"
    ranks_of
  else
    until [ "$run/last.h5" -nt "$WORK/mark" ]; do
      kill -0 "$launcher" 2> /dev/null || return 1
      [ $SECONDS -lt $deadline ] || die "no checkpoint in 120 s: $(tail -3 "$WORK/log")"
    done
    ranks_of # now: it takes longer than writing a file
    if [ $((RANDOM % 3)) = 0 ]; then
      sleep "0.$(printf %03d $((RANDOM % 250)))"
    else
      for ((spin = RANDOM % 2000; spin > 0; spin--)); do :; done
      temporaries
      while [ ${#left[@]} = 0 ] && kill -0 "$launcher" 2> /dev/null; do temporaries; done
    fi
  fi
  kill -0 "$launcher" 2> /dev/null
}

strike() {
  if [ ${#pids[@]} -eq 0 ] || [ "$1" = all ]; then
    kill -STOP -- -"$launcher" "${pids[@]}" 2> /dev/null # so that all die at one moment
    kill -KILL -- -"$launcher" "${pids[@]}" 2> /dev/null
  else
    kill -KILL "${pids[RANDOM % ${#pids[@]}]}" 2> /dev/null
  fi
}

# The launcher and every rank of it are gone, within a minute.
await_end() {
  local deadline=$((SECONDS + 60)) pid
  wait "$launcher" 2> /dev/null
  for pid in "${pids[@]}"; do
    while kill -0 "$pid" 2> /dev/null; do
      [ $SECONDS -lt $deadline ] || die "rank $pid lives on after its job was killed"
      sleep 0.01
    done
  done
  launcher=
}

train 2 "$WORK/whole"
wait "$launcher" || die "the run that is not stopped: $(tail -3 "$WORK/log")"
launcher=
while [ "$done" -lt "$kills" ]; do
  rm -rf "$run" && left=()
  while :; do
    old=("${left[@]}")
    ranks=$((1 + RANDOM % 4)) kind=$([ $((RANDOM % 2)) = 0 ] && echo all || echo one)
    train $ranks "$run"
    if [ "$done" -ge "$kills" ] || ! await_moment; then
      wait "$launcher" || die "not to the end on $ranks ranks: $(tail -3 "$WORK/log")"
      launcher=
      break
    fi
    strike "$kind"
    await_end
    for file in "${old[@]}"; do
      [ ! -e "$file" ] && swept=$((swept + 1)) && continue
      [ "$early" = 1 ] || die "$file of a job before stays"
    done
    temporaries
    done=$((done + 1))
    [ "$kind" = all ] && of_all=$((of_all + 1)) || of_one=$((of_one + 1))
    [ ${#left[@]} -gt 0 ] && inside=$((inside + 1))
    look
  done
  "$SRQ" diff "$WORK/whole" "$run" > "$WORK/diff" || die "differs from the run that was not stopped: $(cat "$WORK/diff")"
  temporaries
  [ ${#left[@]} = 0 ] || die "temporary files stay at the end: ${left[*]}"
  [ "$(ls "$run/checkpoints" | wc -l)" = 2 ] || die "keep = 2, but there are: $(ls "$run/checkpoints")"
  finished=$((finished + 1))
done
echo "torture: seed $seed: $done kills ($of_all of all ranks, $of_one of one), $inside of them while a file was being written;"
echo "torture: $looked_at checkpoints looked at, all whole; $swept temporary files swept; $finished runs to the end, each equal to one never stopped: $(cat "$WORK/diff")"
