#!/usr/bin/env bash
# Installed somewhere, moved elsewhere, and used from a program of its own through pkg-config and CMake.
. "$(dirname "$0")/lib.sh"
[ "${SANITIZED:-OFF}" = ON ] && skip "the sanitizer build is not installed"
cmake --install "$BUILD" --prefix "$WORK/first" > "$WORK/out" 2>&1 || fail "install: $(tail -5 "$WORK/out")"
mv "$WORK/first" "$WORK/moved"
expect 0 "Open MPI" "$WORK/moved/bin/srq" version
[ -f "$WORK/moved/share/srq/experiments/models/lenet5.cfg" ] || fail "the experiments are not installed"
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
