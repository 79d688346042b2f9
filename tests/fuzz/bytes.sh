#!/usr/bin/env bash
# Changes every byte of a small checkpoint and of a small data set, in two ways, one at a time, and reads each file: 110,000
# files, some tens of milliseconds each. A pass takes every 32nd byte and prints a line; the last lines are sums.
#
#     tests/fuzz/bytes.sh BUILD [PASSES]     BUILD: build/release; PASSES: 32, or fewer for a sample
set -uo pipefail
build=${1:?the folder of a build} passes=${2:-32}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$build/tests/fuzz/make_seeds" "$work" || exit 1
for file in checkpoint/small dataset/plain; do
  for ((i = 0; i < passes; i++)); do
    # Passes lie as far from each other as possible, so that a sample is spread over the file: 0, 16, 8, 24, ...
    first=$((((i & 1) << 4) | ((i & 2) << 2) | (i & 4) | ((i & 8) >> 2) | ((i & 16) >> 4)))
    "$build/tests/fuzz/fuzz_${file%/*}" --bytes "$first" 32 "$work/$file.h5" || {
      echo "$file: a pass from byte $first ended with status $?"
      exit 1
    }
  done | tee "$work/lines"
  [ "${PIPESTATUS[0]}" = 0 ] || exit 1
  awk -v file="$file" '{ for (k = 1; k < NF; k += 2) { sum[$k] += $(k + 1); if ($(k + 1) > most[$k]) most[$k] = $(k + 1) } }
    END { printf "%s: %d changes: %d refused (in %d the process that reads crashed, in %d it was stopped), %d with equal content, " \
      "%d with other content; at most %d MB (srq) and %d MB (a process that reads)\n", file, sum["changes"], sum["refused"],
      sum["crashes"], sum["timeouts"], sum["equal"], sum["other"], most["megabytes"], most["reader_megabytes"] }' "$work/lines"
done
