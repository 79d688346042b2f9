#!/usr/bin/env bash
# Installed somewhere, moved elsewhere, and used from a program of its own through pkg-config and CMake.
LIGHT_LIBRARIES= # the real ones, as for a user; and cmake needs the real libcurl
. "$(dirname "$0")/lib.sh"
[ "${SANITIZED:-OFF}" = ON ] && skip "the sanitizer build is not installed"
cmake --install "$BUILD" --prefix "$WORK/first" > "$WORK/out" 2>&1 || fail "install: $(tail -5 "$WORK/out")"
mv "$WORK/first" "$WORK/moved"
expect 0 "Open MPI" "$WORK/moved/bin/srq" version
[ -f "$WORK/moved/share/srq/experiments/models/lenet5.cfg" ] || fail "the experiments are not installed"
# The man page names every command, option and setting, and is right in its language where that can be checked.
page=$WORK/moved/share/man/man1/srq.1
for word in 'srq train: ' 'srq sweep: ' '\-\-max\-time SPAN' 'quantizer.weight_bits' '.B 75'; do
  grep -qF -- "$word" "$page" || fail "the man page does not have: $word"
done
if command -v groff > /dev/null; then
  groff -man -Tutf8 -ww "$page" 2> "$WORK/out" | grep -q 'stopped on request after saving' && [ ! -s "$WORK/out" ] || fail "man page: $(head -3 "$WORK/out")"
fi
# Completion: what bash would offer after these words; it takes = for a word of its own.
. "$WORK/moved/share/bash-completion/completions/srq" || fail "no completion"
offers() { # EXPECTED WORDS...: the offers, as one text
  local expected=$1
  shift
  COMP_WORDS=(srq "$@") COMP_CWORD=$#
  _srq
  [ "${COMPREPLY[*]}" = "$expected" ] || fail "completion of srq $*: ${COMPREPLY[*]}, not $expected"
}
mkdir "$WORK/empty" && pushd "$WORK/empty" > /dev/null && touch net.cfg
offers "train" tra
offers "--max-time" train --m
offers "never net.cfg" train --resume ne
offers "net.cfg" train ""
offers "train.batch=" train --set train.ba
offers "net.cfg" train --set train.init = n
offers "lsq" train --set quantizer.method = l
offers "constant step linear cosine" sweep net.cfg --set schedule.method =
offers "net.cfg" report --table n
offers "" ticket net.cfg --seeds n
offers "import" data im
offers "quantizer step gradients allreduce" bench ""
offers "quantizer.temperature" help quantizer.te
popd > /dev/null || exit 1
if /usr/bin/python3 -c 'import h5py, numpy' 2> /dev/null; then
  expect 0 "$WORK/moved/share/srq/python/srq.py" env PYTHONPATH="$WORK/moved/share/srq/python" PYTHONDONTWRITEBYTECODE=1 \
    /usr/bin/python3 -c 'import srq; print(srq.load.__doc__, srq.__file__)'
fi
PKG_CONFIG_PATH=$(dirname "$(find "$WORK/moved" -name srq.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
cc "$SOURCE/tests/install/consumer.c" -o "$WORK/consumer" $(pkg-config --cflags --libs srq) > "$WORK/out" 2>&1 || fail "pkg-config: $(cat "$WORK/out")"
expect 0 "6627e8d5" "$WORK/consumer"
cmake -S "$SOURCE/tests/install" -B "$WORK/consumer-build" -DCMAKE_PREFIX_PATH="$WORK/moved" > "$WORK/out" 2>&1 &&
  cmake --build "$WORK/consumer-build" >> "$WORK/out" 2>&1
[ -x "$WORK/consumer-build/consumer" ] || fail "find_package: $(tail -5 "$WORK/out")"
expect 0 "6627e8d5" "$WORK/consumer-build/consumer"
finish
