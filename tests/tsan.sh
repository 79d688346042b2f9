#!/usr/bin/env bash
# Looks for data races and wrong lock orders in what has threads: reading ahead, writing checkpoints, and whatever else a
# training step starts. Builds the preset tsan, trains small networks on 1 to 3 ranks, and fails at the first report.
#
#     tests/tsan.sh [BUILD]     BUILD: a folder that is built with SRQ_TSAN=ON already; otherwise build/tsan is built
#
# It is not part of the test suite, because it needs a build of its own.
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(realpath -m "${1:-$root/build/tsan}")
if [ $# = 0 ]; then
  (cd "$root" && cmake --preset tsan && cmake --build --preset tsan --target srq test_experiments_loader test_core_slices test_dist_reduce make_images) || exit 2
fi
nm "$build/bin/srq" | grep -q ' __tsan_init$' || {
  echo "$build/bin/srq is not built with SRQ_TSAN=ON"
  exit 2
}
export SRQ=$build/bin/srq SOURCE=$root SANITIZED=ON
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1 OPENBLAS_NUM_THREADS=1
# Files are read by processes that are forked from a process with threads, which only wait then.
export TSAN_OPTIONS="suppressions=$root/tests/tsan.supp exitcode=66 second_deadlock_stack=1 die_after_fork=0"
. "$root/tests/e2e/lib.sh"

clean() { # WHAT COMMAND...: ends with status 0 and without a report
  local what=$1 status
  shift
  "$@" > "$WORK/log" 2>&1
  status=$?
  if [ $status != 0 ] || grep -q "WARNING: ThreadSanitizer" "$WORK/log"; then
    fail "$what: status $status"
    grep -A40 "WARNING: ThreadSanitizer" "$WORK/log" | head -80
    tail -n 3 "$WORK/log"
  fi
}

clean "reading ahead" env CK_FORK=no "$build/tests/test_experiments_loader"
clean "workers and slices" env CK_FORK=no "$build/tests/test_core_slices"
clean "sums over leaves" env CK_FORK=no "$build/tests/test_dist_reduce"
make_data
make_configs
cd "$WORK" || exit 1
often="--set train.checkpoint_every=2it --set train.eval_every=3it --set train.log_every=1it"
# shellcheck disable=SC2086
{
  clean "checkpoints and event files" "$SRQ" train residual-run.cfg --out saved $often --set train.max_steps=10 \
    --set train.tensorboard=true --set train.average=0.9 --set train.clip_norm=1
  clean "learned bit-lengths, trace" on_ranks 3 train residual-run.cfg --out learned $often --set train.max_steps=8 \
    --set dropbits.mode=learn --set dropbits.follow=true --set quantizer.weight_bits=6 --trace traced
  clean "validation images, augmentation" on_ranks 2 train lenet-run.cfg --out valid $often --set train.max_steps=8 \
    --set data.validation=0.2 --set data.flip=true --set data.cutout=5
  clean "a resume" on_ranks 3 train lenet-run.cfg --out resumed $often --set train.max_steps=11 --set data.validation=0.2 \
    --set data.flip=true --set data.cutout=5 --resume valid/last.h5
  clean "evaluation" on_ranks 2 eval saved --threads 2
  clean "export" "$SRQ" export saved --to h5 net.h5
  clean "evaluation of a deployed network" "$SRQ" eval net.h5 --data slice.h5 --threads 3 --classes
  clean "threads" "$SRQ" train residual-run.cfg --out threads $often --set train.max_steps=8 --threads 3 --set train.slices=2 --set train.shards=2
  clean "threads of two ranks" on_ranks 2 train residual-run.cfg --out shapes $often --set train.max_steps=8 --threads 3 --set train.slices=4 \
    --set dropbits.mode=learn --set dropbits.follow=true --set quantizer.weight_bits=6 --trace traced-threads
  clean "threads, another engine" "$SRQ" train inverted-run.cfg --out reference $often --set train.max_steps=4 --threads 2 --set train.engine=reference
}
# Encoded images: the thread that reads ahead decodes them.
"$build/tests/make_images" images train 3 40 40 48 30 && "$build/tests/make_images" images test 3 8 40 48 30 || fail "make_images"
clean "import" on_ranks 2 data import images images.h5 --quiet
sed 's/channels = 1/channels = 3/' lenet.cfg | sed 's/name = "fc2"; type = "dense"; out = 10/name = "fc2"; type = "dense"; out = 3/' > color.cfg
# shellcheck disable=SC2086
clean "encoded images" on_ranks 2 train lenet-run.cfg --out encoded $often --set model=color.cfg --set data.file=images.h5 \
  --set train.max_steps=5 --set data.crop=resized --set data.hue=0.1 --set data.brightness=0.2
finish
