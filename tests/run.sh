#!/usr/bin/env bash
# usage: tests/run.sh [all|release|debug]
# Installs what is missing, builds with sanitizers (debug) and for speed (release), and runs every test of each.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
case ${1:-all} in
  all) presets="release debug" ;;
  release | debug) presets=$1 ;;
  *) echo "usage: tests/run.sh [all|release|debug]" >&2; exit 2 ;;
esac
experiments/install-packages.sh || exit 2
experiments/install-packages.sh packages-lab.txt > build-lab.log 2>&1 ||
  echo "packages-lab.txt cannot be installed, so tests that need a cluster are skipped: $(tail -n 1 build-lab.log)"
rm -f build-lab.log

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
  ctest --preset "$preset" -j "$(nproc)" --output-junit "$root/build/$preset/tests.xml"
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
