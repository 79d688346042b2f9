#!/usr/bin/env bash
usage() {
  cat << 'END'
usage: tests/run.sh [all|release|debug|quick]
  all      (the default) installs packages that are missing, builds for speed (release) and with sanitizers (debug),
           and runs every test: those of units in both builds, an end-to-end test in both or in the one where it finds
           more (tests/CMakeLists.txt)
  release  the build for speed only, and every test in it
  debug    the build with sanitizers only, and every test in it
  quick    for the loop of someone who edits: builds for speed what has changed, and runs all unit suites and the
           shortest end-to-end tests (label "quick" in tests/CMakeLists.txt); installs nothing
Tests write to /dev/shm if it has 4 GB of room; set TMPDIR for another folder.
The last line says how many tests passed, failed and were skipped. The status is 1 if one failed.
END
}
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
mode=${1:-all}
label=()
case $mode in
  all) presets="release debug" label=(-LE '^elsewhere$') ;;
  release | debug) presets=$mode ;;
  quick) presets=release label=(-L '^quick$') ;;
  -h | --help | help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac
[ $# -le 1 ] || { usage >&2; exit 2; }
export SRQ_QUICK=OFF
if [ "$mode" = quick ]; then
  SRQ_QUICK=ON # end-to-end tests in their short form, as under the sanitizers
else
  experiments/install-packages.sh || exit 2
  experiments/install-packages.sh packages-lab.txt > build-lab.log 2>&1 ||
    echo "packages-lab.txt cannot be installed, so tests that need a cluster are skipped: $(tail -n 1 build-lab.log)"
  rm -f build-lab.log
fi

# Runs write each checkpoint through to the disk, and hundreds of short ones wait for it: in memory where there is room.
# Tests of what a crash leaves behind stay on the disk.
export SRQ_TEST_DISK=${TMPDIR:-/tmp}
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ] && [ "$(df --output=avail -k /dev/shm | tail -n 1)" -ge 4000000 ]; then
  export TMPDIR=/dev/shm
fi

passed=0 failed=0 skipped=0
for preset in $presets; do
  echo "== $preset: build (${SECONDS} s)"
  { cmake --preset "$preset" && cmake --build --preset "$preset"; } > "build-$preset.log" 2>&1 || {
    tail -n 40 "build-$preset.log"
    rm -f "build-$preset.log"
    exit 1
  }
  rm -f "build-$preset.log"
  echo "== $preset: tests (${SECONDS} s)"
  rm -f "build/$preset/tests.xml"
  # Two slots for each core: tests/CMakeLists.txt says how many of them a test takes.
  ctest --preset "$preset" "${label[@]}" -j $((2 * $(nproc))) --output-junit "$root/build/$preset/tests.xml"
  status=$?
  [ -s "build/$preset/tests.xml" ] || echo '<testsuite tests="0">' > "build/$preset/tests.xml" # ctest died
  counts=$(sed -nE 's/.*<testsuite .*/&/; s/^[[:space:]]*(tests|failures|disabled|skipped)="([0-9]+)".*/\1=\2/p' "build/$preset/tests.xml")
  tests=0 failures=0 disabled=0 skips=0
  while IFS='=' read -r key value; do
    case $key in tests) tests=$value ;; failures) failures=$value ;; disabled) disabled=$value ;; skipped) skips=$value ;; esac
  done <<< "$counts"
  # CTest counts a test that it could not start among the skipped ones; only those that said so are.
  not_started=$(grep -c 'status="notrun"' "build/$preset/tests.xml")
  not_started=$((not_started - $(grep -c 'SKIP_RETURN_CODE=' "build/$preset/tests.xml")))
  skips=$((skips - not_started)) failures=$((failures + not_started))
  [ "$tests" -gt 0 ] || { echo "no test ran"; tests=1 failures=1; }
  [ "$status" = 0 ] || [ "$failures" -gt 0 ] || { echo "ctest ended with status $status"; tests=$((tests + 1)) failures=1; }
  passed=$((passed + tests - failures - disabled - skips))
  failed=$((failed + failures))
  skipped=$((skipped + disabled + skips))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
