#!/usr/bin/env bash
# Nodes that are not alike: other CPUs are brought to what all of them have, with the bits of a run that is held to
# that; other data, other words are refused. SRQ_MAX_ISA stands for another CPU.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
export SRQ
# each RANK=COMMANDS... -- WORDS: srq on as many ranks as there are commands, each run in its rank before srq.
cat > "$WORK/rank.sh" << 'EOF'
eval "$(sed -n "$((OMPI_COMM_WORLD_RANK + 1))p" "$SCRIPT")"
exec "$SRQ" "$@"
EOF
each() {
  local ranks=0
  : > "$WORK/script"
  while [ "$1" != -- ]; do echo "$1" >> "$WORK/script"; ranks=$((ranks + 1)); shift; done
  shift
  SCRIPT=$WORK/script timeout 120 mpirun --quiet --oversubscribe -n $ranks bash "$WORK/rank.sh" "$@"
}
config=$WORK/residual-run.cfg

has=$("$SRQ" version | sed -n 's/^CPU .*: //p')
case $has in
  avx2* | avx512*) lower=avx2 ;;
  *) lower=x86-64 ;;
esac
expect 0 "instruction set used: $lower" env SRQ_MAX_ISA=$lower "$SRQ" version
expect 2 "SRQ_MAX_ISA: \"mmx\" is not an instruction set" env SRQ_MAX_ISA=mmx "$SRQ" train "$config" --out "$WORK/mmx"
engines="auto reference"
[ "${SANITIZED:-OFF}" = ON ] && engines=auto
for engine in $engines; do
  expect 0 "kernels ($lower)" "$SRQ" train "$config" --out "$WORK/forced-$engine" --set train.isa=$lower --set train.engine="$engine"
  expect 0 "kernels ($lower)" each true "export SRQ_MAX_ISA=$lower" -- train "$config" --out "$WORK/mixed-$engine" --set train.engine="$engine"
  [ "$has" = "$lower" ] || grep -q "all of them compute with $lower, which they have in common.*; rank 0 (host .*) could use a larger instruction set" "$WORK/out" ||
    fail "it is not said that CPUs differ: $(head -3 "$WORK/out")"
  grep -q "\"isa\": \"$lower\".*\"arithmetic\": \"srq .*; $lower;" "$WORK/mixed-$engine/log.jsonl" || fail "log.jsonl does not say $lower"
  same_bits "$WORK/forced-$engine" "$WORK/mixed-$engine"
done
expect 0 "test error " each true "export SRQ_MAX_ISA=$lower" -- eval "$WORK/mixed-auto"
if [ "$has" != "$lower" ]; then
  # Held to less, it does compute otherwise; a run that moves says so, in the log too.
  expect 0 "kernels ($has)" "$SRQ" train "$config" --out "$WORK/whole"
  expect 1 "differing" "$SRQ" diff "$WORK/forced-auto" "$WORK/whole"
  expect 0 "stopped after" bash -c "'$SRQ' train '$config' --out '$WORK/half' --set train.epochs=2000 & pid=\$!
    until [ -e '$WORK/half/last.h5' ]; do sleep 0.05; done; kill -TERM \$pid; wait \$pid; true"
  expect 0 "from here on the bits may differ" timeout 60 bash -c "SRQ_MAX_ISA=$lower '$SRQ' train '$config' --out '$WORK/half' --set train.epochs=2000 --resume auto & pid=\$!
    until grep -q '\"event\": \"resume\"' '$WORK/half/log.jsonl'; do sleep 0.05; done; kill -TERM \$pid; wait \$pid; true"
  grep -q "\"event\": \"resume\".*\"arithmetic_before\": \"srq .*; $has;" "$WORK/half/log.jsonl" || fail "the log does not say what computed before"
  expect 2 "train.isa is \"$has\", but the CPU of rank 1 (host " each true "export SRQ_MAX_ISA=$lower" -- train "$config" --out "$WORK/refused" --set train.isa="$has"
  [ ! -e "$WORK/refused" ] || fail "a run that is refused leaves a folder"
fi

# Data and words of its own on one of three ranks.
mkdir "$WORK/a" "$WORK/b"
cp "$WORK/slice.h5" "$WORK/a/data.h5"
/usr/bin/python3 - "$WORK/slice.h5" "$WORK/b/data.h5" << 'EOF' 2> "$WORK/log" || skip_data=1
import sys, shutil, h5py
shutil.copy(sys.argv[1], sys.argv[2])
with h5py.File(sys.argv[2], "r+") as f: f.attrs["source_sha256"] = "0" * 64
EOF
[ -n "${skip_data:-}" ] ||
  expect 3 "ranks have different data sets: ranks 0, 2 (host " each "cd '$WORK/a'" "cd '$WORK/b'" "cd '$WORK/a'" -- train "$config" --out "$WORK/data" --set data.file=/proc/self/cwd/data.h5
expect 2 "ranks have different command lines: rank 0 (host " timeout 60 mpirun --quiet --oversubscribe \
  -n 1 "$SRQ" train "$config" --out "$WORK/words" : -n 2 "$SRQ" train "$config" --out "$WORK/words" --set train.seed=2
grep -q "rank.* 1, 2 (host .*--set train.seed=2; start all ranks with the same command line" "$WORK/out" || fail "the other words are not shown: $(cat "$WORK/out")"
finish
