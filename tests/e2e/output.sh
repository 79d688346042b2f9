#!/usr/bin/env bash
# What srq writes and to whom: a full device, a closed pipe, a terminal that hangs up, bytes of another encoding, and text
# that others would interpret.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
cd "$WORK" || exit 1
"$SRQ" train lenet-run.cfg --out run > log 2>&1 || fail "train: $(cat log)"
# A report without plots, which take most of its time.
mkdir nothing-here
report() { timeout 60 env PATH="$WORK/nothing-here" "$SRQ" report "$@"; }

# Output that cannot be written is a failure, with one message. Progress of training is not: the results are in files.
refused() { # WORDS ARGUMENTS...
  local words=$1 status
  shift
  env PATH="$WORK/nothing-here" "$SRQ" "$@" > /dev/full 2> out
  status=$?
  [ $status = 4 ] || fail "into a full device, status $status: $*"
  [ "$(grep -c '^srq: ' out)" = 1 ] && grep -qF "$words" out || fail "into a full device: $* :: $(cat out)"
}
full="cannot write the output: No space left on device"
refused "$full" help
refused "$full" train --help
refused "$full" version
refused "$full" inspect run
refused "$full" inspect run conv1/weight
refused "$full" diff run run
refused "$full" eval run
refused "$full" data info slice.h5
refused "$full" report run
"$SRQ" inspect run >&- 2> out
[ $? = 4 ] || fail "into a closed output: $(cat out)"
"$SRQ" train lenet-run.cfg --out full > /dev/full 2> out || fail "training into a full device: $(cat out)"
same_bits run full
# A closed stream's number does not go to the log.
"$SRQ" train lenet-run.cfg --out closed 2>&- >&- <&- || fail "training without streams"
same_bits run closed

# A reader that has ended, and a terminal that hangs up.
"$SRQ" train lenet-run.cfg --out piped 2> out | head -n 1 > /dev/null
[ "${PIPESTATUS[0]}" = 0 ] || fail "train | head -1: status ${PIPESTATUS[0]}: $(cat out)"
same_bits run piped
hang_up() { # DIRECTORY COMMAND...: the signal comes at step 3 or later; its exit status is in $found
  local dir=$1
  shift
  "$@" > log 2>&1 &
  local pid=$!
  until grep -qs '"step": [3-9]' "$dir/log.jsonl" || ! kill -0 $pid 2> /dev/null; do sleep 0.05; done
  kill -HUP $pid
  wait $pid
  found=$?
}
long="--set train.epochs=100000 --set train.log_every=1it"
# shellcheck disable=SC2086
hang_up hung "$SRQ" train lenet-run.cfg --out hung $long
[ $found = 75 ] || fail "SIGHUP: status $found: $(cat log)"
[ -e hung/last.h5 ] && tail -n 1 hung/log.jsonl | grep -q '"status": 75' || fail "SIGHUP saves nothing: $(tail -n 1 hung/log.jsonl)"
# nohup starts a command with the signal ignored, and it goes on.
(trap '' HUP; exec "$SRQ" train lenet-run.cfg --out ignored > log 2>&1) &
pid=$!
until [ -s ignored/log.jsonl ] || ! kill -0 $pid 2> /dev/null; do sleep 0.05; done
kill -HUP $pid
wait $pid || fail "SIGHUP under nohup: $(cat log)"
same_bits run ignored

# A run of 0 steps, and a last checkpoint without a test error: evaluated, not "0.00 %".
expect 0 "done: test error" "$SRQ" train lenet-run.cfg --out zero --set train.epochs=0
grep -q 'test error 0.00 %' out && fail "$(cat out)"
expect 0 "test error" "$SRQ" eval zero

# Paths in Latin-1, and a quote in the digest of a data set: every line of a log is JSON, and what failed is not "running".
latin=$'andr\xe9'
mkdir "$latin"
for name in "$latin/a.h5" "$latin/b.h5" empty.h5 names.h5; do cp slice.h5 "$name"; done
python3 - "$latin/b.h5" << 'END'
import os, sys, h5py
with h5py.File(os.fsencode(sys.argv[1]), "r+") as f: f.attrs["source_sha256"] = 'a"\u00e9' + "0" * 8
with h5py.File("empty.h5", "r+") as f: f.attrs["source_sha256"] = ""
with h5py.File("names.h5", "r+") as f:
    del f["classes"]
    f["classes"] = [b"a\x1b[31mb\nsrq: forged", *(b"c%d" % i for i in range(9))]
END
"$SRQ" train lenet-run.cfg --out seeds/a --set "data.file=$latin/a.h5" > log 2>&1 || fail "Latin-1: $(cat log)"
"$SRQ" train lenet-run.cfg --out seeds/b --set "data.file=$latin/b.h5" --set train.seed=2 > log 2>&1 || fail "a quote: $(cat log)"
(ulimit -f 100; trap '' XFSZ; "$SRQ" train lenet-run.cfg --out "seeds/$latin" > log 2>&1)
[ $? = 4 ] || fail "a limit on files: $(cat log)"
python3 - << 'END' || fail "logs"
import glob, json
logs = glob.glob(b"seeds/*/log.jsonl") + [b"closed/log.jsonl"]
assert len(logs) == 4, logs
for name in logs:
    lines = [json.loads(line) for line in open(name, encoding="utf-8")]
    assert lines[0]["event"] == "start" and lines[-1]["event"] == "stop", lines
END
expect 0 "3 runs of 2 configurations: 2 finished, 1 failed" report seeds --out latin
expect 3 "source_sha256 is empty" "$SRQ" train lenet-run.cfg --out nothing --set data.file=empty.h5

# Text that others interpret: formulas in CSV, escape sequences on a terminal.
mkdir names
for name in '=cmd()' '+1' '@SUM(1)' $'a\033[2Jb'; do cp -r run "names/$name"; done
(cd names && report '=cmd()' '+1' '@SUM(1)' $'a\033[2Jb' --out o) > out 2>&1 || fail "$(cat out)"
grep -qP '[\x00-\x08\x0b-\x1f\x7f]' out && fail "control characters of a name: $(cat -v out)"
grep -qE '^[=+@]' names/o/runs.csv && fail "formulas: $(cat names/o/runs.csv)"
grep -q "^'=cmd()," names/o/runs.csv || fail "no text for the formula: $(cat names/o/runs.csv)"
"$SRQ" data info names.h5 > out 2>&1
grep -qP '[\x00-\x08\x0b-\x1f\x7f]|^srq: ' out && fail "control characters of a class: $(cat -v out)"

# A log of something else, impossible figures, and FIFOs where files are expected: nothing blocks.
mkdir -p odd
for name in garbage figures log config; do cp -r run odd/$name; done
head -c 100000 /dev/urandom > odd/garbage/log.jsonl
sed -i 's/"test_error": [0-9.]*/"test_error": 17.5/' odd/figures/log.jsonl
rm odd/log/log.jsonl odd/config/config.cfg
mkfifo odd/log/log.jsonl odd/config/config.cfg
expect 0 "2 runs of 0 configurations: 2 cannot be used" report odd --out odd-report
grep -q "none of its lines is a JSON object" out && grep -q "test_error is 17.5, but must be from 0 to 1" out || fail "$(cat out)"
grep -q "1750" odd-report/report.md && fail "1750 %"
mkdir fifo && mkfifo fifo/report.html
expect 2 "exists already and is not from" report run --out fifo

# The reason is said, and none is guessed.
expect 0 "a temporary folder cannot be created in /nowhere/tmp: No such file or directory" env TMPDIR=/nowhere/tmp "$SRQ" report run --out no-tmp
expect 0 "gnuplot is not installed" report run --out no-gnuplot
finish
