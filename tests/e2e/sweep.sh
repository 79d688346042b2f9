#!/usr/bin/env bash
# srq sweep: a table is completed by the same command however often it is stopped, killed or started twice; runs of other
# settings are never taken for those of the table; what fails does not stop the rest. And the table in a report.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
cd "$WORK" || exit 1
cat > table.cfg << 'END'
title = "Small"; seeds = [1, 2]; init = "float32"; sets = ["train.checkpoint_every=3it"];
rows = (
  { name = "float32"; config = "lenet-run.cfg"; sets = ["quantizer.method=float32"]; published = 12.5; source = "A | <b>B</b>"; },
  { name = "srq-w2a2"; config = "lenet-run.cfg"; published = 11.25; source = "C"; },
  { name = "wild"; config = "lenet-run.cfg"; sets = ["quantizer.method=float32", "optimizer.method=sgd", "optimizer.learning_rate=1e6"]; },
  { name = "lsq"; config = "lenet-run.cfg"; sets = ["quantizer.method=lsq"]; init = "random"; }
);
END
sed 's/"quantizer.method=float32", "optimizer.method=sgd", "optimizer.learning_rate=1e6"/"quantizer.method=ste"/' table.cfg > good.cfg

# What is wrong on the command line or in the table.
expect 2 "no table is named" "$SRQ" sweep
expect 2 "table.cf: No such file" "$SRQ" sweep table.cf
expect 2 "no option is called --ouch" "$SRQ" sweep table.cfg --ouch
expect 2 "--only lsqq: table.cfg has no row of this name; did you mean lsq?" "$SRQ" sweep table.cfg --only lsqq
expect 2 "--seeds must be a list of integers" "$SRQ" sweep table.cfg --seeds 1,x
expect 2 "--index 8: the table has 8 runs, 0 to 7" "$SRQ" sweep table.cfg --index 8
sed 's/name = "lsq"/nam = "lsq"/' table.cfg > bad.cfg
expect 2 "bad.cfg:6: a row has no setting called nam; did you mean name?" on_ranks $FEW sweep bad.cfg
"$SRQ" sweep table.cfg --list > /dev/full 2> "$WORK/out"
[ $? = 4 ] && grep -q "cannot write the output: No space left" "$WORK/out" || fail "--list into a full device: $(cat "$WORK/out")"
expect 0 "8 runs in runs/table: 0 finished, 0 running, 0 unfinished, 8 missing" "$SRQ" sweep table.cfg --dry-run
[ ! -e runs ] || fail "--dry-run made a folder"

# Without a table: the same runs by the same names as the rows of one, and the same command completes them.
expect 0 "2 runs in grid: 2 done, 0 finished before, 0 failed" "$SRQ" sweep lenet-run.cfg --set train.seed=1,2 --set train.epochs=0 --out grid --quiet
[ "$(wc -l < out)" = 1 ] || fail "--quiet: $(cat out)"
expect 0 "2 runs in grid: 0 done, 2 finished before, 0 failed" on_ranks $FEW sweep lenet-run.cfg --set train.epochs=0 --set train.seed=1,2 --out grid
printf '%s\n' 'seeds = [1, 2]; rows = ( { name = "lenet-run"; config = "lenet-run.cfg"; sets = ["train.epochs=0"]; } );' > grid.cfg
expect 0 "2 runs in grid: 2 finished, 0 running" "$SRQ" sweep grid.cfg --out grid --dry-run

# A line of --list is what srq train needs to make the same run.
expect 0 "--set train.init=lists/float32-seed2-" "$SRQ" sweep good.cfg --list --out lists
"$SRQ" sweep good.cfg --list --out lists > lines
[ "$(wc -l < lines)" = 8 ] || fail "--list: $(cat lines)"
sed 's/"quantizer.method=ste"/"quantizer.weight_bits=8 until 1ep, then 4"/' good.cfg > blank.cfg
expect 2 "blank.cfg:5: row wild sets \"quantizer.weight_bits=8 until 1ep, then 4\", but --list cannot print a setting with blanks" "$SRQ" sweep blank.cfg --list
[ "$(wc -l < out)" = 1 ] || fail "--list printed a part of the lines: $(cat out)"
for i in 1 2; do
  read -ra words <<< "$(sed -n ${i}p lines)"
  "$SRQ" train "${words[0]}" --out "lists/${words[1]}" "${words[@]:2}" > log 2>&1 || fail "${words[*]}: $(tail -2 log)"
done
expect 0 "2 finished, 0 running, 0 unfinished, 6 missing" "$SRQ" sweep good.cfg --dry-run --out lists

# A row that fails: the others go on, it is named, and the same command tries it again.
expect 4 "2 of 8 runs failed; the first is wild-seed1-" on_ranks 2 sweep table.cfg
grep -q "8 runs in runs/table: 6 done, 0 finished before, 2 failed, 0 left" out || fail "no summary: $(tail -4 out)"
before=$(find runs/table -path '*wild*' -prune -o -type f -exec sha256sum {} + | sort)
expect 4 "0 done, 6 finished before, 2 failed" "$SRQ" sweep table.cfg
[ "$before" = "$(find runs/table -path '*wild*' -prune -o -type f -exec sha256sum {} + | sort)" ] || fail "finished runs were touched"
name() { basename "$(echo "${2:-runs/table}/$1"-*)"; }
same_bits "runs/table/$(name srq-w2a2-seed1)" "lists/$(name srq-w2a2-seed1 lists)"

# The table in a report: in its order, with what is published, and what is missing.
expect 0 "missing: 0 of the table's 8" "$SRQ" report --table table.cfg
grep -qE '^ *1 +float32 +2 +[0-9.]+ ± [0-9.]+ +12\.50 +A \| <b>B</b> ' out || fail "no published figure: $(cat out)"
grep -q '<h2>Small</h2>' runs/table/report/report.html && ! grep -q '<b>' runs/table/report/report.html || fail "the page's title or text"
expect 0 "missing: 6 of the table's 8" "$SRQ" report --table good.cfg lists --out listed
grep -qE '^ *- +lsq +0 of 2 +missing +- ' out || fail "no missing row: $(cat out)"
grep -qE '^\| float32-seed2-[0-9a-f]+ .*\| missing \|' listed/report.md || fail "no missing run: $(tail -20 listed/report.md)"
python3 - << 'END' || fail "report.csv"
import csv
rows = {r["row"]: r for r in csv.DictReader(open("listed/report.csv"))}
assert list(rows) == ["float32", "srq-w2a2", "wild", "lsq"], rows
assert rows["srq-w2a2"]["published_error"] == "0.1125" and rows["srq-w2a2"]["published_by"] == "C", rows
assert rows["lsq"]["test_error_mean"] == "" and rows["lsq"]["finished"] == "0" and rows["float32"]["finished"] == "1", rows
END
cp good.cfg nothing.cfg
expect 3 "runs/nothing: No such file" "$SRQ" report --table nothing.cfg
expect 2 "takes no --table" "$SRQ" report --follow lists --table good.cfg

# One at a time, as a job array does; a run whose start is missing says so.
expect 4 "it starts from float32-seed1-" "$SRQ" sweep table.cfg --out array --index 1
expect 0 "1 run in array: 1 done" "$SRQ" sweep table.cfg --out array --index 0
expect 0 "1 run in array: 1 done" "$SRQ" sweep table.cfg --out array --only srq-w2a2 --only lsq --index 0
same_bits "runs/table/$(name srq-w2a2-seed1)" "array/$(name srq-w2a2-seed1 array)"

# Folders may be moved with all runs in them; a run in a folder of another's name is refused, and left alone.
mv array moved
expect 0 "1 finished before" "$SRQ" sweep table.cfg --out moved --only srq-w2a2 --seeds 1
cp -r "moved/$(name srq-w2a2-seed1 moved)" "moved/$(name lsq-seed1)"
sum=$(cat moved/lsq-*/config.cfg moved/lsq-*/log.jsonl | sha256sum)
expect 4 "holds a run with other settings than its name says (train.init is " "$SRQ" sweep table.cfg --out moved --only lsq --seeds 1
[ "$sum" = "$(cat moved/lsq-*/config.cfg moved/lsq-*/log.jsonl | sha256sum)" ] || fail "a run that is not ours was touched"
expect 0 "cannot be used: moved/lsq-seed1-" "$SRQ" sweep table.cfg --out moved --dry-run
# Another data set of the same name.
mkdir other
sed 's/slice.h5/other\/slice.h5/' lenet-run.cfg > other-run.cfg
cp slice.h5 other/slice.h5
sed 's/lenet-run/other-run/' good.cfg > other.cfg
expect 0 "2 finished" "$SRQ" sweep other.cfg --out lists --dry-run
python3 - << 'END' 2> log || skip_other=yes
import h5py
with h5py.File("other/slice.h5", "r+") as f: f.attrs.modify("source_sha256", "0" * 64)
END
[ "${skip_other:-}" = yes ] || expect 0 "was trained on another data set" "$SRQ" sweep other.cfg --out lists --dry-run

[ "${SANITIZED:-OFF}" = ON ] && finish # resume.sh kills runs under sanitizers, too

# Killed and stopped in the middle, gone on with other numbers of ranks, and two at once: each run as without all that.
sed -i 's/epochs = 2/epochs = 6/; s/checkpoint_every = "5it"/checkpoint_every = "2it"/' lenet-run.cfg
expect 0 "4 done" on_ranks 2 sweep good.cfg --seeds 1 --out whole
mpirun --quiet --oversubscribe -n 2 "$SRQ" sweep good.cfg --seeds 1 --out killed > log 2>&1 &
pid=$!
for _ in $(seq 1000); do sleep 0.02; [ -e killed/srq-w2a2-seed1-*/last.h5 ] && break; done
# shellcheck disable=SC2046
kill -KILL $pid $(pgrep -P $pid)
wait $pid 2> /dev/null
[ ! -e killed/lsq-seed1-* ] || fail "the sweep was not killed in its middle"
"$SRQ" sweep good.cfg --seeds 1 --out killed > log 2>&1 &
pid=$!
for _ in $(seq 1000); do sleep 0.02; [ -e killed/wild-seed1-*/last.h5 ] && break; done
kill -TERM $pid
wait $pid
status=$?
[ $status = 75 ] && grep -q "stopped, saved; the same command resumes" log || fail "status $status after SIGTERM, not 75: $(tail -3 log)"
on_ranks 3 sweep good.cfg --seeds 1 --out killed > log-1 2>&1 &
pid=$!
"$SRQ" sweep good.cfg --seeds 1 --out killed > log-2 2>&1 || fail "second of two: $(tail -3 log-2)"
wait $pid || fail "first of two: $(tail -3 log-1)"
expect 0 "4 finished before" "$SRQ" sweep good.cfg --seeds 1 --out killed
on_ranks 2 sweep good.cfg --seeds 1 --out both > log-1 2>&1 &
pid=$!
"$SRQ" sweep good.cfg --seeds 1 --out both > log-2 2>&1 || fail "second of two from the start: $(tail -3 log-2)"
wait $pid || fail "first of two from the start: $(tail -3 log-1)"
expect 0 " 0 failed, 0 left" "$SRQ" sweep good.cfg --seeds 1 --out both
for run in whole/*; do same_bits "$run" "both/${run#whole/}"; done
for run in whole/*; do same_bits "$run" "killed/${run#whole/}"; done
finish
