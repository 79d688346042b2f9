#!/usr/bin/env bash
# Image folders: the same file on any number of ranks and after kills; training on it, decoded and encoded, with
# augmentation, to the same bits on any number of ranks and after a kill.
. "$(dirname "$0")/lib.sh"
: "${MAKE_IMAGES:?the program that makes images}"
cd "$WORK" || exit 1
all_ranks="1 2 3 4 8" some_ranks="2 3"
[ "${SANITIZED:-OFF}" = ON ] && all_ranks="1 3" some_ranks=3

# Small images of one size become pixels; larger and differing ones stay encoded.
"$MAKE_IMAGES" small train 3 400 12 10 && "$MAKE_IMAGES" small val 3 30 12 10 || fail "make_images"
"$MAKE_IMAGES" large train 3 200 40 48 30 && "$MAKE_IMAGES" large test 3 20 40 48 30 || fail "make_images"
"$MAKE_IMAGES" large train 1 1 300 400 || fail "make_images"
echo notes > small/train/c0/notes.txt
for kind in small large; do
  expect 0 "wrote $kind.h5" "$SRQ" data import $kind $kind.h5
  for ranks in $some_ranks; do
    on_ranks $ranks data import $kind $kind-$ranks.h5 > out 2>&1 || fail "import on $ranks ranks: $(cat out)"
    cmp -s $kind.h5 $kind-$ranks.h5 || fail "$kind.h5 is another on $ranks ranks"
  done
  expect 0 "nothing to do" "$SRQ" data import $kind $kind.h5
done
[ -z "$(find . -name '*.parts' -o -name '.*.tmp.*' -o -name '*.skipped.txt')" ] || fail "left over: $(ls)"
expect 0 "1200 training and 90 test images of 12 x 10 x 3, 3 classes" "$SRQ" data info small.h5
expect 0 "600 training and 60 test images, encoded" "$SRQ" data info large.h5
expect 0 "height  40 to 256" "$SRQ" data info large.h5

# Killed, again and again, wherever it is: what is done is kept, and the outcome is the same.
"$MAKE_IMAGES" many train 2 2500 40 48 9 && "$MAKE_IMAGES" many test 2 5 40 48 9 || fail "make_images"
"$SRQ" data import many whole.h5 > out || fail "import: $(cat out)"
for try in 1 2 3; do
  "$SRQ" data import many killed.h5 > out 2>&1 &
  pid=$!
  for _ in $(seq 2000); do # until one part more is there
    [ "$(find killed.h5.parts -name 'part-*' 2> /dev/null | wc -l)" -ge $((2 * try)) ] && break
    kill -0 $pid 2> /dev/null || break
    sleep 0.005
  done
  kill -KILL $pid 2> /dev/null
  wait $pid 2> /dev/null
done
[ ! -e killed.h5 ] || fail "the import was over before it was killed"
on_ranks 2 data import many killed.h5 > out 2>&1 || fail "import after kills: $(cat out)"
grep -qE "images were imported before" out || fail "nothing was kept: $(cat out)"
cmp -s whole.h5 killed.h5 || fail "another file after kills"
[ ! -e killed.h5.parts ] || fail "parts are left: $(ls killed.h5.parts)"

# Networks and settings
cat > small.cfg << 'END'
name = "small"; input = { height = 12; width = 10; channels = 3; };
layers = ( { name = "conv1"; type = "conv"; out = 6; kernel = 3; }, { name = "bn1"; type = "batch_norm"; },
  { name = "relu1"; type = "relu"; }, { name = "act1"; type = "quantize"; }, { name = "fc"; type = "dense"; out = 3; } );
END
sed 's/small/large/; s/height = 12; width = 10/height = 32; width = 32/; s/kernel = 3/kernel = 5; stride = 4/' small.cfg > large.cfg
cat > train.cfg << 'END'
train = { batch = 50; shards = 8; epochs = 2; log_every = "5it"; checkpoint_every = "4it"; keep = 2; };
END
for kind in small large; do
  { echo "model = \"$kind.cfg\";"; cat train.cfg; } > $kind-plain-run.cfg
  sed "\$a data = { file = \"$kind.h5\"; };" -i $kind-plain-run.cfg
done
{ grep -v '^data' small-plain-run.cfg; echo 'data = { file = "small.h5"; pad = 2; flip = true; contrast = 0.2; hue = 0.05; };'; } > small-run.cfg
{ grep -v '^data' large-plain-run.cfg; echo 'data = { file = "large.h5"; crop = "resized"; flip = true; cutout = 7; brightness = 0.3; saturation = 0.4; };'; } > large-run.cfg
{ grep -v '^data' large-plain-run.cfg; echo 'data = { file = "large.h5"; pad = 4; resize = 40; normalize = "none"; };'; } > padded-run.cfg
cat > table.cfg << 'END'
seeds = [1];
rows = ( { name = "small"; config = "small-run.cfg"; }, { name = "large"; config = "large-run.cfg"; }, { name = "padded"; config = "padded-run.cfg"; },
  { name = "small-plain"; config = "small-plain-run.cfg"; }, { name = "large-plain"; config = "large-plain-run.cfg"; },
  { name = "resized-up"; config = "large-run.cfg"; sets = ["data.scale_min=0.5"]; } );
END
# One start of srq for all runs on a number of ranks. Augmentation does something, and is learned from: alone shows that.
for ranks in $all_ranks; do
  only="--only small --only large --only padded"
  [ $ranks = 1 ] && only=''
  # shellcheck disable=SC2086
  on_ranks $ranks sweep table.cfg --out on-$ranks $only > out 2>&1 || fail "on $ranks ranks: $(tail -5 out)"
  for run in small large padded; do
    ln -s on-$ranks/$run-seed1-* $run-$ranks
    same_bits $run-1 $run-$ranks
  done
done
for run in small large; do expect 1 "different: " "$SRQ" diff $run-1 on-1/$run-plain-*; done
expect 1 "different: " "$SRQ" diff large-1 on-1/resized-up-*
for ranks in 1 3; do
  on_ranks $ranks eval large-1 > eval-$ranks 2>&1 || fail "eval: $(cat eval-$ranks)"
  cmp -s eval-1 eval-$ranks || fail "eval differs on $ranks ranks: $(cat eval-1 eval-$ranks)"
done

# A run that would go on for long is killed after its first checkpoint. Resumed on other ranks, it has the bits of one that
# was not killed.
long="--set train.epochs=200000 --set schedule.method=constant"
# shellcheck disable=SC2086
for run in small large; do
  setsid mpirun --quiet --oversubscribe -n 2 "$SRQ" train $run-run.cfg --out "$WORK/$run-killed" $long > out 2>&1 &
  pid=$!
  for _ in $(seq 1000); do
    [ -e $run-killed/last.h5 ] && break
    kill -0 $pid 2> /dev/null || break
    sleep 0.02
  done
  kill -KILL -- -$pid 2> /dev/null
  pkill -KILL -f "$WORK/$run-killed" 2> /dev/null
  wait $pid 2> /dev/null
  steps=$(basename "$(readlink $run-killed/last.h5)" .h5)
  plan="$long --set train.max_steps=$((10#$steps + 15))"
  on_ranks 3 train $run-run.cfg --out $run-resumed --resume $run-killed/last.h5 $plan > out 2>&1 || fail "$run resumed: $(tail -3 out)"
  on_ranks 2 train $run-run.cfg --out $run-whole $plan > out 2>&1 || fail "$run whole: $(tail -3 out)"
  same_bits $run-whole $run-resumed
done
# The script for CIFAR-10 unpacks, finds and imports, and says so if it is not all of it.
mkdir unpacked && mv small unpacked/cifar && tar -cf archive.tar -C unpacked .
for try in 1 2; do
  bash "$SOURCE/experiments/data/cifar10.sh" archive.tar script.h5 > out 2>&1
  [ $? = 3 ] && grep -q "script.h5: this is not all of CIFAR-10:" out || fail "cifar10.sh: $(cat out)"
  grep -q "1200 training and 90 test images of 12 x 10 x 3" out || fail "cifar10.sh: $(cat out)"
done
finish
