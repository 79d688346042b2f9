#!/usr/bin/env bash
# The short form of tests/torture.sh: a few kills, many of them inside checkpoint writes, and resumes on other numbers of
# ranks; nothing but whole checkpoints is ever left, and the end is the same.
kills=4
[ "${SANITIZED:-OFF}" = ON ] && kills=1
# On a disk, even where other tests write to memory (tests/run.sh).
TMPDIR=${SRQ_TEST_DISK:-${TMPDIR:-/tmp}} exec bash "$SOURCE/tests/torture.sh" $kills
