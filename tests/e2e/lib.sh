# shellcheck shell=bash
# What the end-to-end tests share. They get SRQ (the program), SOURCE (the project) and SANITIZED from CTest.
set -u
: "${SRQ:?the program to test}" "${SOURCE:?the folder of the project}"
# The short form of a test where it has one: under the sanitizers, which are slow and look at memory, and in
# `tests/run.sh quick`. WHOLE=ON: this test runs in no other build.
SHORT=OFF
[ "${SANITIZED:-OFF}" = OFF ] && [ "${SRQ_QUICK:-OFF}" = OFF ] || SHORT=ON
[ "${WHOLE:-OFF}" = OFF ] || SHORT=OFF
# Ranks, where one would do as well: the sanitizers see the code of several ranks in dist/, e2e/ranks, e2e/method, e2e/resume and
# others, and starting MPI is slow with them.
FEW=2
[ "${SANITIZED:-OFF}" = OFF ] || [ "${WHOLE:-OFF}" = ON ] || FEW=1
# Debian's python3, which has h5py, ahead of others on the PATH.
PATH=/usr/bin:$PATH
# Lighter libraries in place of some of the system's (tests/no_curl.c); not in the labs, which test an installation.
[ -z "${LIGHT_LIBRARIES:-}" ] || [ -n "${IN_LAB:-}" ] || export LD_LIBRARY_PATH=$LIGHT_LIBRARIES${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/srq-e2e-XXXXXX")
trap 'rm -rf "$WORK"' EXIT
FAILED=0

fail() {
  echo "FAIL: $*"
  FAILED=1
}

skip() {
  echo "skipped: $*"
  exit 77
}

finish() {
  [ "$FAILED" = 0 ] && echo "all as expected"
  exit "$FAILED"
}

# srq on P ranks, bounded in time. One rank needs no launcher; train.sh has a case of `mpirun -n 1`. mpirun would wait a second
# or two for others after the first that ends with a status that is not 0; ours have all said what they had to say by then,
# for they meet in MPI_Finalize.
on_ranks() {
  local ranks=$1
  shift
  if [ "$ranks" = 1 ]; then timeout 240 "$SRQ" "$@"; return; fi
  OMPI_MCA_odls_base_sigkill_timeout=0 timeout 240 mpirun --quiet --oversubscribe -n "$ranks" "$SRQ" "$@"
}

# expect STATUS WORDS COMMAND...: the exit status, and the words in what it prints.
expect() {
  local status=$1 words=$2 found
  shift 2
  "$@" > "$WORK/out" 2>&1
  found=$?
  [ "$found" = "$status" ] || fail "status $found, not $status: $* :: $(head -c 600 "$WORK/out")"
  grep -qF -- "$words" "$WORK/out" || fail "\"$words\" is not printed by: $* :: $(head -c 600 "$WORK/out")"
}

# same_bits A B: two runs, or checkpoints, end with the same bits. Nearly always the files are the same bytes, which is more than
# `srq diff` asks for and takes a hundredth of its time; if not, it decides.
same_bits() {
  local a=$1 b=$2
  [ ! -d "$a" ] || a=$a/last.h5
  [ ! -d "$b" ] || b=$b/last.h5
  cmp -s "$a" "$b" || expect 0 "equal: " "$SRQ" diff "$1" "$2"
}

# everywhere STATUS WORDS ARGUMENTS...: what srq refuses, on every rank: the exit status, and one line of message, which
# holds the words. The build for speed tries each case on 2 ranks, and the first of each status on 3 and without a launcher
# as well. The build with sanitizers, where starting MPI is slow, tries each case without a launcher (its leaks change its
# status), and the first of each status on 2 ranks as well. The last one's output is in ./out; ./r and what CLEAN lists are
# removed ahead of each try.
declare -A SEEN=()
everywhere() {
  local status=$1 words=$2 ranks found tried
  shift 2
  tried="${SEEN[$status]-1 3} 2"
  [ "${SANITIZED:-OFF}" = ON ] && tried="${SEEN[$status]-2} 1"
  SEEN[$status]=""
  for ranks in $tried; do
    # shellcheck disable=SC2086
    rm -rf r ${CLEAN:-}
    on_ranks "$ranks" "$@" > out 2>&1
    found=$?
    [ $found = "$status" ] || fail "$ranks ranks, status $found, not $status: $* :: $(head -c 600 out)"
    [ "$(grep -c '^srq: ' out)" = 1 ] || fail "$ranks ranks, not one message: $* :: $(head -c 900 out)"
    grep '^srq: ' out | grep -qF -- "$words" || fail "$ranks ranks, \"$words\" is not in: $(head -c 600 out)"
  done
}

# $WORK/slice.h5: 1,024 images to train on and 256 to test. CTest has it made once, in SLICE.
make_data() {
  if [ -n "${SLICE:-}" ]; then cp "$SLICE" "$WORK/slice.h5" && return; fi
  "$SRQ" data import "$SOURCE/tests/data/fashion-slice" "$WORK/slice.h5" > "$WORK/out" || fail "import: $(cat "$WORK/out")"
}

# A LeNet-5 small enough for a sanitizer build, a network with batch-norm, a residual and average pooling, and a small
# MobileNetV2: blocks, depthwise convolutions, ReLU6, signed activations.
make_configs() {
  cat > "$WORK/lenet.cfg" << EOF
name = "small-lenet"; input = { height = 28; width = 28; channels = 1; };
layers = (
  { name = "conv1"; type = "conv"; out = 6; kernel = 5; stride = 2; },
  { name = "relu1"; type = "relu"; }, { name = "pool1"; type = "max_pool"; kernel = 2; }, { name = "act1"; type = "quantize"; },
  { name = "fc1"; type = "dense"; out = 32; }, { name = "relu2"; type = "relu"; }, { name = "act2"; type = "quantize"; },
  { name = "fc2"; type = "dense"; out = 10; } );
EOF
  cat > "$WORK/residual.cfg" << EOF
name = "residual"; input = { height = 28; width = 28; channels = 1; };
layers = (
  { name = "conv1"; type = "conv"; out = 6; kernel = 3; stride = 3; bias = false; }, { name = "bn1"; type = "batch_norm"; },
  { name = "relu1"; type = "relu"; }, { name = "act1"; type = "quantize"; },
  { name = "conv2"; type = "conv"; out = 6; kernel = 3; padding = 1; bias = false; }, { name = "bn2"; type = "batch_norm"; },
  { name = "sum"; type = "add"; inputs = ["bn2", "act1"]; }, { name = "relu2"; type = "relu"; },
  { name = "pool"; type = "avg_pool"; }, { name = "fc"; type = "dense"; out = 10; } );
EOF
  cat > "$WORK/inverted.cfg" << EOF
name = "inverted"; input = { height = 28; width = 28; channels = 1; }; classes = 10;
blocks = {
  start = {
    parameters = ["channels"];
    layers = (
      { name = "conv"; type = "conv"; out = "channels"; kernel = 5; stride = 4; bias = false; }, { name = "bn"; type = "batch_norm"; },
      { name = "relu"; type = "relu"; max = 6.0; } );
  };
  bottleneck = {
    parameters = ["in", "expansion", "out"];
    layers = (
      { name = "act0"; type = "quantize"; },
      { name = "expand"; type = "conv"; out = "in * expansion"; kernel = 1; bias = false; }, { name = "bn0"; type = "batch_norm"; },
      { name = "relu0"; type = "relu"; max = 6.0; }, { name = "act1"; type = "quantize"; },
      { name = "depthwise"; type = "conv"; out = "in * expansion"; groups = "in * expansion"; kernel = 3; padding = 1; bias = false; },
      { name = "bn1"; type = "batch_norm"; }, { name = "relu1"; type = "relu"; max = 6.0; }, { name = "act2"; type = "quantize"; },
      { name = "project"; type = "conv"; out = "out"; kernel = 1; bias = false; }, { name = "bn2"; type = "batch_norm"; } );
  };
  residual = {
    parameters = ["channels", "expansion"];
    layers = (
      { name = "inner"; block = "bottleneck"; in = "channels"; expansion = "expansion"; out = "channels"; },
      { name = "sum"; type = "add"; inputs = ["inner", "input"]; } );
  };
};
layers = (
  { name = "first"; block = "start"; channels = 6; },
  { name = "b1"; block = "bottleneck"; in = 6; expansion = 1; out = 4; },
  { name = "b2"; block = "residual"; channels = 4; expansion = 3; },
  { name = "act"; type = "quantize"; }, { name = "fc"; type = "dense"; out = "classes"; } );
EOF
  for model in lenet residual inverted; do
    cat > "$WORK/$model-run.cfg" << EOF
model = "$model.cfg"; data = { file = "slice.h5"; };
train = { batch = 60; shards = 8; epochs = 2; checkpoint_every = "5it"; eval_every = "1ep"; log_every = "3it"; keep = 2; };
EOF
  done
}
