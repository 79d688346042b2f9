#!/usr/bin/env bash
# Tickets: every stage with the same bits on any number of ranks and across kills; pruned weights are 0 everywhere; what
# is finished is skipped; the comparison; mistakes. KILLS=all kills in every stage, not in some.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
cat > "$WORK/ticket.cfg" << EOF
model = "lenet.cfg"; data = { file = "slice.h5"; };
train = { batch = 60; shards = 8; epochs = "50it"; checkpoint_every = "7it"; eval_every = 0; log_every = "20it"; keep = 2; };
optimizer = { gate_learning_rate = 0.3; };
quantizer = { method = "srq"; weight_bits = 6; activation_bits = 3; layers = ( { name = "conv1"; bits = 4; }, { name = "fc2"; bits = 8; } ); };
dropbits = { mode = "learn"; penalty = 0.1; weights = "params"; follow = true; };
prune = { levels = 2; rate = 0.3; rewind = "5it"; random = true; };
EOF
stages="learn rewind scratch uniform-below uniform-above shuffled fine-tune prune-01 reinit-01 random-01 prune-02 reinit-02 random-02"
few="--set train.epochs=20it"
quick='' limit=2 kills=${KILLS:-learn scratch prune-01 reinit-02}
# Slow as it is there: enough steps that a kill meets a stage in its middle on a free machine.
[ "${SANITIZED:-OFF}" = ON ] && quick="--set train.epochs=40it" limit=60 kills="learn rewind"

# Starts a ticket on RANKS, and kills every rank of it once STAGE has a checkpoint. A stage lasts some 50 ms: the ranks are
# looked up before, and nothing is started in the loop that waits.
mkfifo "$WORK/pause"
exec {pause}<> "$WORK/pause"
kill_in() { # RANKS STAGE
  local pid ranks deadline=$((SECONDS + 60))
  # shellcheck disable=SC2086
  setsid mpirun --quiet --oversubscribe -n "$1" "$SRQ" ticket "$WORK/ticket.cfg" --out "$WORK/killed" --seeds 3 $quick > "$WORK/log" 2>&1 &
  pid=$!
  until ranks=$(pgrep -P $pid) && [ "$(wc -l <<< "$ranks")" = "$1" ]; do
    kill -0 $pid 2> /dev/null && [ $SECONDS -lt $deadline ] || break
  done
  until [ -e "$WORK/killed/seed-3/$2/last.h5" ] || ! kill -0 $pid 2> /dev/null || [ $SECONDS -ge $deadline ]; do
    read -rt 0.002 -u "$pause" _
  done
  # shellcheck disable=SC2086
  [ -z "$ranks" ] || kill -KILL $ranks 2> /dev/null
  kill -KILL -- -$pid 2> /dev/null
  wait $pid 2> /dev/null
  sleep 0.1
}
resumed() { cat "$WORK/killed/seed-3/"*/log.jsonl 2> /dev/null | grep -c '"event": "resume"'; }

# shellcheck disable=SC2086
{
# On other ranks, killed in each stage: the same in every stage.
on_ranks 1 ticket "$WORK/ticket.cfg" --out "$WORK/one" --seeds 3 $quick > "$WORK/one.log" 2>&1 || fail "ticket on one rank: $(tail -3 "$WORK/one.log")"
there=$(for stage in $stages; do [ -d "$WORK/one/seed-3/$stage" ] && echo "$stage"; done)
[ "${SANITIZED:-OFF}" = ON ] || [ "$(wc -w <<< "$there")" = 13 ] || fail "not all stages are there: $(grep "not needed" "$WORK/one.log")"
grep -q "^learn - scratch  *1 " "$WORK/one.log" || fail "no comparison: $(tail -20 "$WORK/one.log")"
[ "$kills" != all ] || kills=$there
# A kill may miss the middle of a stage: again, until one has not.
for try in 1 2 3 4 5; do
  rm -rf "$WORK/killed"
  ranks=3
  for stage in $kills; do
    kill_in $ranks "$stage"
    ranks=$((ranks % 3 + 1))
  done
  on_ranks 3 ticket "$WORK/ticket.cfg" --out "$WORK/killed" --seeds 3 $quick > "$WORK/log" 2>&1 || fail "after kills: $(tail -3 "$WORK/log")"
  [ "$(resumed)" = 0 ] || break
done
[ "$(resumed)" -ge 1 ] || fail "no stage was resumed after a kill, in $try tries"
for stage in $there; do
  same_bits "$WORK/one/seed-3/$stage" "$WORK/killed/seed-3/$stage"
done
for file in seed-3/learn/rewind.h5 seed-3/masks-{,random-}0{1,2}.h5 ticket.json; do
  cmp "$WORK/one/$file" "$WORK/killed/$file" || fail "$file differs"
done

# Killed between the last checkpoint and the last line of the log: the stage ends as it would have.
sed -i '$d' "$WORK/killed/seed-3/scratch/log.jsonl"
expect 0 "scratch" "$SRQ" ticket "$WORK/ticket.cfg" --out "$WORK/killed" --seeds 3 $quick
tail -n 1 "$WORK/killed/seed-3/scratch/log.jsonl" | grep -q '"reason": "done"' || fail "the log of scratch has no end: $(tail -n 2 "$WORK/killed/seed-3/scratch/log.jsonl")"
same_bits "$WORK/one/seed-3/scratch" "$WORK/killed/seed-3/scratch"

# Finished stages are skipped. A second seed, stopped by the clock again and again, later each time: a busy machine may
# need its seconds to start.
on_ranks $FEW ticket "$WORK/ticket.cfg" --out "$WORK/killed" --seeds 3 $quick > "$WORK/log" 2>&1 || fail "again: $(tail -3 "$WORK/log")"
[ "$(grep -c "finished before" "$WORK/log")" = "$(wc -w <<< "$there")" ] || fail "not all stages are skipped: $(cat "$WORK/log")"
for try in $(seq 30); do
  timeout 120 "$SRQ" ticket "$WORK/ticket.cfg" --out "$WORK/killed" --seeds 3,4 $quick --max-time $((limit + try - 1))s > "$WORK/log" 2>&1
  status=$?
  [ $status = 75 ] || break
  grep -q "(max-time), saved; the same command resumes" "$WORK/log" || fail "does not say that it stopped: $(tail -3 "$WORK/log")"
done
[ $status = 0 ] || fail "two seeds: status $status after $try starts: $(tail -3 "$WORK/log")"

# Without --seeds, all seeds that are there are compared: this replaces no comparison of two seeds by one of one.
before=$(cat "$WORK/killed/ticket.json")
expect 0 "learn" "$SRQ" ticket "$WORK/ticket.cfg" --out "$WORK/killed" $quick --stage compare
[ "$before" = "$(cat "$WORK/killed/ticket.json")" ] || fail "--stage compare without --seeds: $(cat "$WORK/killed/ticket.json")"

# A report has it from the runs' logs: the same sentence and the same numbers, in ticket.json's names.
expect 0 "Ticket killed: Over 2 seeds" "$SRQ" report "$WORK/killed"
grep -q "ticket.json" "$WORK/out" && fail "ticket.json and the runs differ: $(cat "$WORK/out")"
grep -qF "$(sed -n 's/.*"says": "\(.*\)"}/\1/p' "$WORK/killed/ticket.json")" "$WORK/out" || fail "another sentence: $(cat "$WORK/out")"
[ "$(grep -c '"against"' "$WORK/killed/ticket.json")" = "$(($(wc -l < "$WORK/killed/report/tickets.csv") - 1))" ] || fail "other differences: $(cat "$WORK/killed/report/tickets.csv")"

# Single stages, as jobs of their own.
on_ranks $FEW ticket "$WORK/ticket.cfg" --out "$WORK/jobs" --seeds 3 $quick --stage learn > "$WORK/log" 2>&1 || fail "--stage learn: $(tail -3 "$WORK/log")"
expect 3 "stage prune-02 of seed 3 needs stage prune-01, which was not started" "$SRQ" ticket "$WORK/ticket.cfg" --out "$WORK/jobs" --seeds 3 $quick --stage prune-02
expect 0 "rewind " "$SRQ" ticket "$WORK/ticket.cfg" --out "$WORK/jobs" --seeds 3 $quick --stage rewind --stage prune-01
same_bits "$WORK/one/seed-3/prune-01" "$WORK/jobs/seed-3/prune-01"
[ ! -e "$WORK/jobs/seed-3/scratch" ] || fail "a stage was run that was not asked for"
# Random masks need only the stage before, not that of their own level.
expect 0 "random-01 " "$SRQ" ticket "$WORK/ticket.cfg" --out "$WORK/jobs" --seeds 3 $quick --stage random-01
same_bits "$WORK/one/seed-3/random-01" "$WORK/jobs/seed-3/random-01"

# From a file: fine-tune is the run of rewind, bit for bit, and only one of the two is trained. A folder of an older version
# has rewind.
from="--set train.init=$WORK/one/seed-3/scratch --set prune.rewind=0it --set prune.levels=0 $few"
expect 0 "rewind: not needed: the same run as fine-tune" "$SRQ" ticket "$WORK/ticket.cfg" --out "$WORK/from" --seeds 3 $from --stage learn --stage rewind --stage fine-tune
grep -q "^learn - fine-tune  *1 " "$WORK/out" && grep -q "^rewind  *-  *the same run as fine-tune" "$WORK/out" || fail "fine-tune is not compared: $(cat "$WORK/out")"
grep -q "initial weights at the learned bit-lengths (fine-tune)" "$WORK/out" || fail "the conclusion is about another stage: $(cat "$WORK/out")"
[ ! -e "$WORK/from/seed-3/rewind" ] || fail "the same run was trained twice"
"$SRQ" train "$WORK/from/seed-3/fine-tune/config.cfg" --out "$WORK/from/seed-3/rewind" --quiet --set train.init="$WORK/from/seed-3/learn/rewind.h5" > "$WORK/log" 2>&1 || fail "rewind: $(cat "$WORK/log")"
same_bits "$WORK/from/seed-3/fine-tune" "$WORK/from/seed-3/rewind"
rm -r "$WORK/from/seed-3/fine-tune"
expect 0 "fine-tune: not needed: the same run as rewind" "$SRQ" ticket "$WORK/ticket.cfg" --out "$WORK/from" --seeds 3 $from --stage rewind --stage fine-tune
grep -q "rewind: finished before" "$WORK/out" || fail "a finished stage was trained again: $(cat "$WORK/out")"
# Stages that the configuration does not name are compared, too.
expect 0 "prune-01 - learn" "$SRQ" ticket "$WORK/ticket.cfg" --out "$WORK/jobs" --set prune.levels=0 --stage compare --seeds 3
expect 1 "weight_mask" "$SRQ" diff --all "$WORK/one/seed-3/prune-01" "$WORK/one/seed-3/prune-02"
expect 0 "masked" "$SRQ" inspect "$WORK/one/seed-3/prune-02"
expect 0 "masks  keep" "$SRQ" inspect "$WORK/one/seed-3/prune-02"
"$SRQ" inspect "$WORK/one/seed-3/learn" | grep -q masked && fail "a column of masks without masks"

# Pruning alone, of all layers together, under noise; and any run under the masks that are there.
on_ranks $FEW ticket "$WORK/ticket.cfg" --out "$WORK/pruned" --set dropbits.mode=off --set quantizer.method=rq --set quantizer.weight_bits=2 \
  --set prune.scope=global --set prune.rate=0.9 --set optimizer.method=sgd --set optimizer.weight_decay=0.01 $few > "$WORK/log" 2>&1 || fail "pruning alone: $(tail -3 "$WORK/log")"
grep -q "rewinding pruned weights (prune-02)" "$WORK/log" || fail "no sentence on pruning: $(tail -2 "$WORK/log")"
expect 0 "done: test error" "$SRQ" train "$WORK/lenet-run.cfg" --out "$WORK/under" --set train.masks="$WORK/pruned/seed-1/masks-02.h5" $few
expect 0 "masks  keep" "$SRQ" inspect "$WORK/under"
}

# A stranger's look: what is pruned is 0 in weights and in the optimizer's state, to the bit, and levels nest.
if /usr/bin/python3 -c 'import h5py, numpy' 2> /dev/null; then
  /usr/bin/python3 - "$WORK" << 'EOF' || fail "the stages, seen from Python"
import h5py, json, numpy as np, os, sys
work = sys.argv[1]
def masks(path):
    found = {}
    with h5py.File(path) as f:
        for name, layer in f["layers"].items():
            if "weight_mask" not in layer: continue
            m = layer["weight_mask"]
            n = int(m.attrs["count"])
            kept = np.unpackbits(m[:], bitorder="little", count=n).astype(bool)
            assert kept.sum() == m.attrs["kept"] and m.dtype == np.uint8 and m.shape == ((n + 7) // 8,)
            found[name] = kept
            if "weight" not in layer: continue
            tensors = [layer["weight"]] + [s[name]["weight"] for s in f["optimizer"].values()]
            assert len(tensors) >= 2
            for t in tensors:
                values = t[:].reshape(-1)
                assert not values.view(np.uint32)[~kept].any(), (path, t.name)
                assert values[kept].any() or not kept.any(), (path, t.name)
    return found
for run, rate in ("one/seed-3", 0.3), ("pruned/seed-1", 0.9):
    levels = [masks(f"{work}/{run}/prune-0{l}/last.h5") for l in (1, 2)]
    assert set(levels[0]) == {"conv1", "fc1", "fc2"}
    total = {n: m.size for n, m in levels[0].items()}
    left = dict(total)
    for l, level in enumerate(levels):
        for name, kept in level.items():
            assert not (kept & ~levels[0][name]).any()
            if rate == 0.3:
                left[name] -= int(rate * left[name])
                assert kept.sum() == left[name], (run, l, name)
        if rate == 0.9:
            before = sum(total.values()) if l == 0 else sum(m.sum() for m in levels[0].values())
            assert sum(m.sum() for m in level.values()) == before - int(rate * before)
        # Random masks: as many in each layer, other ones, and nested too.
        drawn = masks(f"{work}/{run}/random-0{l + 1}/last.h5")
        assert all(drawn[n].sum() == level[n].sum() for n in level) and any((drawn[n] != level[n]).any() for n in level)
        assert l == 0 or not any((drawn[n] & ~first[n]).any() for n in drawn)
        first = drawn
        again, file = masks(f"{work}/{run}/reinit-0{l + 1}/last.h5"), masks(f"{work}/{run}/masks-0{l + 1}.h5")
        assert all((level[n] == again[n]).all() and (level[n] == file[n]).all() for n in level)
    # The least weights of the stage before went: of learn for level 1.
    with h5py.File(f"{work}/{run}/learn/last.h5") as f:
        sizes = {n: np.abs(f["layers"][n]["weight"][:].reshape(-1)) for n in total}
    gone, kept = ([sizes[n][levels[0][n] == k] for n in total] for k in (False, True))
    if rate == 0.9: assert np.concatenate(gone).max() <= np.concatenate(kept).min()
    else: assert all(g.max() <= k.min() for g, k in zip(gone, kept))
# Bit-lengths: rewind, scratch and masks have those that learn found; shuffled others with the same numbers.
def bits(stage):
    with h5py.File(f"{work}/one/seed-3/{stage}/last.h5") as f:
        return {n: int(f["layers"][n].attrs["bits"]) for n in ("conv1", "fc1", "fc2")}
found = bits("learn")
assert found["fc1"] < 6 and len(set(found.values())) > 1, found # the gates have moved, and apart
for stage in ("rewind", "scratch", "fine-tune", "prune-01", "reinit-02", "random-02"): assert bits(stage) == found, stage
with h5py.File(f"{work}/one/seed-3/learn/last.h5") as f: size = {n: f["layers"][n]["weight"].size for n in found}
mean = sum(size[n] * found[n] for n in size) / sum(size.values())
assert set(bits("uniform-above").values()) == {int(np.ceil(mean))}
if os.path.exists(f"{work}/one/seed-3/shuffled"):
    assert sorted(bits("shuffled").values()) == sorted(found.values()) and bits("shuffled") != found
with h5py.File(f"{work}/one/seed-3/learn/rewind.h5") as f: assert f.attrs["step"] == 5
# The comparison of two seeds: Student's t of one degree of freedom.
ticket = json.load(open(f"{work}/killed/ticket.json"))
errors = {s["stage"]: {r["seed"]: r["test_error"] for r in s["runs"]} for s in ticket["stages"]}
assert len(ticket["differences"]) >= 6
for d in ticket["differences"]:
    a, b = errors[d["stage"]], errors[d["against"]]
    pairs = [a[s] - b[s] for s in a if s in b]
    assert d["seeds"] == len(pairs) and abs(d["mean"] - np.mean(pairs)) < 1e-7
    if len(pairs) < 2:
        assert d["low"] is None
        continue
    reach = 12.7062047364 * np.std(pairs, ddof=1) / np.sqrt(2)
    assert abs(d["low"] - (np.mean(pairs) - reach)) < 1e-6 and abs(d["high"] - (np.mean(pairs) + reach)) < 1e-6
assert ticket["seeds"] == [3, 4] and "Over 2 seeds" in ticket["says"]
EOF

  # Weights to rewind to that were changed; a mask over weights that are not 0; one that is none.
  change() { # FILE WHAT
    /usr/bin/python3 -c "import h5py, sys
with h5py.File(sys.argv[1], 'r+') as f: $2" "$1"
  }
  change "$WORK/jobs/seed-3/learn/rewind.h5" "f['layers/fc2/bias'][0] += 1"
  # shellcheck disable=SC2086
  expect 3 "rewind.h5" "$SRQ" ticket "$WORK/ticket.cfg" --out "$WORK/jobs" --seeds 3 $quick --stage prune-02
  cp -L "$WORK/under/last.h5" "$WORK/bad.h5"
  change "$WORK/bad.h5" "f['layers/fc1/weight'][...] = 1; del f.attrs['content_sha256']; f.attrs['version'] = 1"
  expect 3 "the mask of the layer does not keep it" "$SRQ" inspect "$WORK/bad.h5"
  change "$WORK/bad.h5" "del f['layers/fc1/weight_mask']; f['layers/fc1/weight_mask'] = [255]"
  expect 3 "weight_mask" "$SRQ" inspect "$WORK/bad.h5"
fi
expect 3 "which the model \"residual\" does not have" "$SRQ" train "$WORK/residual-run.cfg" --out "$WORK/wrong" --set train.masks="$WORK/pruned/seed-1/masks-01.h5"
expect 3 "train.masks: " "$SRQ" train "$WORK/lenet-run.cfg" --out "$WORK/wrong" --set train.masks="$WORK/slice.h5"
[ ! -e "$WORK/wrong/config.cfg" ] || fail "a run directory was made for masks that cannot be used"

# Mistakes.
wrong() { # STATUS WORDS OPTIONS...
  local status=$1 words=$2
  shift 2
  expect "$status" "$words" "$SRQ" ticket "$@"
}
config="$WORK/ticket.cfg"
wrong 2 "no configuration is named" --out "$WORK/wrong"
wrong 2 "no folder for the stages is named" "$config"
wrong 2 "a value is missing after --seeds" "$config" --out "$WORK/wrong" --seeds
for seeds in 1,,2 1, ,1 x 1,-2 "1 2" 99999999999999999999; do
  wrong 2 "--seeds must be a list of integers, for example 1,2,3" "$config" --out "$WORK/wrong" --seeds "$seeds"
done
wrong 2 "a seed stands twice in --seeds 1,2,1" "$config" --out "$WORK/wrong" --seeds 1,2,1
wrong 2 "has no such stage; it has learn, rewind, scratch" "$config" --out "$WORK/wrong" --stage prune-03
wrong 2 "neither learns bit-lengths nor prunes weights" "$WORK/lenet-run.cfg" --out "$WORK/wrong"
wrong 2 "rewind to an earlier step" "$config" --out "$WORK/wrong" --set prune.rewind=100it
wrong 2 "prune.rate is 1, but must be" "$config" --out "$WORK/wrong" --set prune.rate=1
# shellcheck disable=SC2086
wrong 2 "is one of another configuration (prune.rate is 0.5 here and 0.3 there)" "$config" --out "$WORK/one" --seeds 3 --set prune.rate=0.5 $quick
wrong 3 "there is nothing to compare" "$config" --out "$WORK/nothing" --stage compare
finish
