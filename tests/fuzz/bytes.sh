#!/usr/bin/env bash
# Changes every byte of a small data set and of a small checkpoint, in two ways, one at a time, and reads each file: 110,000
# files, some tens of milliseconds each. A pass takes every 32nd byte of one of the files and prints a line; the last lines are
# sums.
#
#     tests/fuzz/bytes.sh BUILD [PASSES [FIRST]]
#
# BUILD: build/release. PASSES: 32, or fewer for a sample. FIRST: the pass to begin with, 0 to 31, to go on after a stop; after
# pass 31 comes pass 0.
set -uo pipefail
build=${1:?the folder of a build} passes=${2:-32} start=${3:-0}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$build/tests/fuzz/make_seeds" "$work" || exit 1
files=(dataset/plain checkpoint/small)
for ((k = 0; k < passes; k++)); do
  i=$(((start + k) % 32))
  # Passes lie as far from each other as possible, so that a sample is spread over the file: 0, 16, 8, 24, ...
  first=$((((i & 1) << 4) | ((i & 2) << 2) | (i & 4) | ((i & 8) >> 2) | ((i & 16) >> 4)))
  for file in "${files[@]}"; do
    line=$("$build/tests/fuzz/fuzz_${file%/*}" --bytes "$first" 32 "$work/$file.h5") || {
      echo "$file: pass $i, from byte $first, ended with status $?"
      exit 1
    }
    echo "$line" >>"$work/${file%/*}.lines"
    echo "$file pass $i: $line"
  done
done
for file in "${files[@]}"; do
  awk -v file="$file" '{ for (k = 1; k < NF; k += 2) { sum[$k] += $(k + 1); if ($(k + 1) > most[$k]) most[$k] = $(k + 1) } }
    END { printf "%s: %d changes: %d refused (in %d the process that reads crashed, in %d it was stopped), %d with equal content, " \
      "%d with other content; at most %d MB (srq) and %d MB (a process that reads)\n", file, sum["changes"], sum["refused"],
      sum["crashes"], sum["timeouts"], sum["equal"], sum["other"], most["megabytes"], most["reader_megabytes"] }' \
    "$work/${file%/*}.lines"
done
