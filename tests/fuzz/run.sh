#!/usr/bin/env bash
# Runs harnesses that were built with libFuzzer, one after another, each for some seconds, and prints a line for each.
#
#     tests/fuzz/run.sh BUILD SECONDS [NAME...]     BUILD: build/fuzz; all harnesses without a NAME
#
# What libFuzzer keeps is in BUILD/corpus/NAME, and what it found in BUILD/findings/NAME-*. The status is 1 if it found
# something.
set -uo pipefail
build=${1:?the folder of the build} seconds=${2:?seconds for each harness}
shift 2
source=$(cd "$(dirname "$0")" && pwd)
names=("$@")
[ $# -gt 0 ] || names=(config model expression sweep idx cifar image log ticket classes checkpoint dataset weights golden deployed)
mkdir -p "$build/findings" "$build/seeds" || exit 1
# Harnesses may be started beside others.
flock "$build/seeds" "$build/tests/fuzz/make_seeds" "$build/seeds" || exit 1
# A process that reads an HDF5 file may die: then it prints nothing.
export ASAN_OPTIONS=detect_leaks=1:quarantine_size_mb=16:allocator_may_return_null=1:handle_abort=1
export LSAN_OPTIONS=suppressions=$source/../lsan.supp:print_suppressions=0
status=0
for name in "${names[@]}"; do
  seeds=("$source/corpus/$name") limits=(-max_len=16384 -rss_limit_mb=1024 -timeout=20)
  case $name in
    # The process that reads a file is stopped by its CPU time, which takes minutes on a busy machine.
    checkpoint | dataset | weights | golden | deployed)
      seeds=("$build/seeds/$name")
      limits=(-max_len=131072 -rss_limit_mb=1024 -timeout=900 -len_control=0)
      ;;
    image) limits=(-max_len=4096 -rss_limit_mb=2048 -timeout=20) ;; # 2^26 pixels are allowed
  esac
  mkdir -p "$build/corpus/$name"
  "$build/tests/fuzz/fuzz_$name" -max_total_time="$seconds" "${limits[@]}" -artifact_prefix="$build/findings/$name-" \
    -print_final_stats=1 "$build/corpus/$name" "${seeds[@]}" > "$build/findings/$name.log" 2>&1
  ended=$?
  # A process that reads an HDF5 file and asks for much memory ends with an artifact of its own, which is empty.
  find "$build/findings" -name "$name-*" -size 0 -delete
  [ "$ended" = 0 ] || status=1
  printf '%-12s %s inputs, status %d\n' "$name" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/findings/$name.log")" "$ended"
done
exit "$status"
