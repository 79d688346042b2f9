#!/usr/bin/env bash
# Everything wrong that a user may hand in: one message, the documented status on every rank, nothing lost.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
cd "$WORK" || exit 1

# Commands
everywhere 2 "no command is called \"trian\"" trian
everywhere 2 "no configuration is named" train
everywhere 2 "add --out" train lenet-run.cfg
everywhere 2 "no option is called --ouch" train lenet-run.cfg --ouch
everywhere 2 "a value is missing after --out" train lenet-run.cfg --out
everywhere 2 "the name of --out is empty" train lenet-run.cfg --out ""
everywhere 2 "--trace lenet.cfg: it is a file; choose a folder" train lenet-run.cfg --out r --trace lenet.cfg
expect 2 "the name of --out is empty" "$SRQ" ticket lenet-run.cfg --out ""
expect 2 "the name of --out is empty" "$SRQ" sweep lenet-run.cfg --out ""
for command in ticket sweep report; do expect 2 "--out lenet.cfg: it is a file; choose a folder" "$SRQ" $command lenet-run.cfg --out lenet.cfg; done
expect 2 "the name of --out is empty" "$SRQ" report . --out ""
expect 0 "srq version: " "$SRQ" --version --help
expect 0 "srq help: " "$SRQ" --help --help
expect 2 "no command or setting is called \"trian\"" "$SRQ" --help trian

# Configurations
everywhere 2 "none.cfg: No such file" train none.cfg --out r
everywhere 2 "it is a folder" train . --out r
echo 'data = { file = "slice.h5"; };' > no-model.cfg
everywhere 2 "no-model.cfg: model is missing" train no-model.cfg --out r
: > empty.cfg
expect 2 "empty.cfg: model is missing" "$SRQ" train empty.cfg --out r
grep -qF "empty.cfg: data.file is missing" out || fail "one of two mistakes: $(cat out)"
sed 's/epochs/epoks/' lenet-run.cfg > typo.cfg
everywhere 2 "typo.cfg:2: no setting is called train.epoks; did you mean train.epochs?" train typo.cfg --out r
sed 's/batch = 60/batch = "sixty"/' lenet-run.cfg > type.cfg
everywhere 2 "type.cfg:2: train.batch must be an integer, but is the text \"sixty\"" train type.cfg --out r
sed 's/batch = 60/batch = -60/' lenet-run.cfg > negative.cfg
everywhere 2 "negative.cfg:2: train.batch is -60, but must be from 1 to 1048576" train negative.cfg --out r
everywhere 2 "--set train.shards=x" train lenet-run.cfg --out r --set train.shards=x
on_ranks 3 train lenet-run.cfg --out r --set train.shards=2 > out 2>&1
[ $? = 2 ] || fail "more ranks than shards: $(cat out)"
grep -q "3 ranks but train.shards = 2" out || fail "more ranks than shards: $(cat out)"
[ ! -e r ] || fail "a refused run left a folder"

# Model files: where, and in a block which instance.
model() { # STATUS WORDS SED-EXPRESSION MODEL: of the model with one change
  sed "$3" "$4.cfg" > changed.cfg
  cmp -s "$4.cfg" changed.cfg && fail "nothing changed by $3"
  everywhere "$1" "$2" train lenet-run.cfg --out r --set model=changed.cfg
}
model 2 'changed.cfg:6: input "fc2" is this layer or one below it; layers must come after their inputs' 's/name = "fc2"/&; inputs = ["fc2"]/' lenet
model 2 'changed.cfg:6: input "fc" is this layer or one below it' 's/\["bn2", "act1"\]/["bn2", "fc"]/' residual
model 2 'changed.cfg:6: no layer is called "act3"; did you mean "act1"?' 's/\["bn2", "act1"\]/["bn2", "act3"]/' residual
model 2 'changed.cfg:6: layer "sum": inputs of different shapes: "bn2" is 9 x 9 x 7 and "act1" is 9 x 9 x 6' 's/out = 6; kernel = 3; padding/out = 7; kernel = 3; padding/' residual
model 2 'changed.cfg:3: layer "conv1": the kernel 50 x 50 does not fit into the input of 28 x 28 pixels' 's/kernel = 5/kernel = 50/' lenet
model 2 'changed.cfg:5: there is already a layer called "act1" at changed.cfg:4; names must be unique' 's/"act2"/"act1"/' lenet
model 2 'changed.cfg:28: block "bottleneck" has no setting "expanse"; did you mean "expansion"?' 's/in = 6; expansion/in = 6; expanse/' inverted
model 2 'changed.cfg:28: block "bottleneck" needs the parameter "expansion"' 's/in = 6; expansion = 1;/in = 6;/' inverted
model 2 'changed.cfg:22: in "b2" (block "residual", changed.cfg:29): block "residual" contains itself' 's/block = "bottleneck"; in = "channels"/block = "residual"; in = "channels"/' inverted
model 2 'changed.cfg:13: in "b1" (block "bottleneck", changed.cfg:28): out = "in * expansoin": no parameter is called "expansoin"' '13s/expansion/expansoin/' inverted
model 2 'changed.cfg:15: layer "b1.depthwise": 4 groups, but the input has 6 channels' 's/groups = "in \* expansion"/groups = 4/' inverted
everywhere 2 'data.classes is 7, but the last layer, "fc2", has out = 10' train lenet-run.cfg --out r --set data.classes=7
everywhere 3 "it has 10 classes, but the model \"inverted\" gives 7 logits; set data.classes to 10" train inverted-run.cfg --out r --set data.classes=7
[ ! -e r ] || fail "a refused run left a folder"

# Data
everywhere 3 "No such file" data import none d.h5
everywhere 3 "it is a file" data import slice.h5 d.h5
mkdir -p e && everywhere 3 "it contains no known format; it must contain one of: images as train/CLASS/IMAGE.jpg" data import e d.h5
cp -r "$SOURCE/tests/data/fashion-slice" idx && chmod -R u+w idx
head -c 20000 "$SOURCE/tests/data/fashion-slice/train-images-idx3-ubyte.gz" > idx/train-images-idx3-ubyte.gz
everywhere 3 "train-images-idx3-ubyte.gz: " data import idx d.h5
: > idx/train-images-idx3-ubyte.gz
everywhere 3 "it is empty" data import idx d.h5
rm idx/train-images-idx3-ubyte.gz
everywhere 3 "train-images-idx3-ubyte (or with .gz) is missing" data import idx d.h5
cp "$SOURCE/tests/data/fashion-slice/train-images-idx3-ubyte.gz" idx/
gunzip idx/t10k-labels-idx1-ubyte.gz
printf '\377' | dd of=idx/t10k-labels-idx1-ubyte bs=1 seek=40 conv=notrunc status=none
everywhere 3 "label 32 is 255, but the training labels go from 0 to 9" data import idx d.h5
[ ! -e d.h5 ] || fail "a refused import left a file"
echo "the user's" > mine.h5
everywhere 2 "it exists already and is not a whole data set" data import "$SOURCE/tests/data/fashion-slice" mine.h5
[ "$(cat mine.h5)" = "the user's" ] || fail "a file of the user's was overwritten"
everywhere 3 "No such file" train lenet-run.cfg --out r --set data.file=none.h5
everywhere 3 "not a whole HDF5 file" train lenet-run.cfg --out r --set data.file=mine.h5
sed 's/height = 28/height = 32/' lenet.cfg > tall.cfg
everywhere 3 "images are 28 x 28 x 1 (height x width x channels), but the model \"small-lenet\" takes 32 x 28 x 1" train lenet-run.cfg --out r --set model=tall.cfg
sed 's/out = 10/out = 7/' lenet.cfg > seven.cfg
everywhere 3 "it has 10 classes, but the model \"small-lenet\" gives 7 logits" train lenet-run.cfg --out r --set model=seven.cfg
[ ! -e r ] || fail "a refused run left a folder"

# Checkpoints
on_ranks $FEW train lenet-run.cfg --out good > out 2>&1 || fail "good: $(cat out)"
on_ranks $FEW train residual-run.cfg --out other --set train.max_steps=1 > out 2>&1 || fail "other: $(cat out)"
size=$(stat -L -c %s good/last.h5)
for tenth in 0 1 2 3 4 5 6 7 8 9; do
  head -c $((size * tenth / 10)) good/last.h5 > cut.h5
  [ $tenth = 0 ] && everywhere 3 "cut.h5: it is empty" eval cut.h5
  [ $tenth = 0 ] || expect 3 "cut.h5: not a whole HDF5 file" "$SRQ" eval cut.h5
  expect 3 "cut.h5: " "$SRQ" inspect cut.h5
done
head -c $((size / 2)) good/last.h5 > cut.h5
everywhere 3 "cut.h5: not a whole HDF5 file" eval cut.h5
everywhere 3 "cut.h5: not a whole HDF5 file" train lenet-run.cfg --out r --resume cut.h5
everywhere 3 "this is a checkpoint of another model" train lenet-run.cfg --out r --resume other/last.h5
[ ! -e r ] || fail "a refused run left a folder"
everywhere 3 "its format is \"srq-dataset\", but a checkpoint" eval slice.h5
everywhere 3 "No such file" inspect none.h5
expect 3 "No such file" "$SRQ" diff good none.h5

# A flipped bit, and files that crash the HDF5 library: refused by every command that reads them.
flip() { # FILE BYTE: changes it
  printf "$(printf '\\x%02x' $(($(od -An -tu1 -j "$2" -N 1 "$1") ^ 64)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
cp good/last.h5 flipped.h5
flip flipped.h5 $((size / 2))
everywhere 3 "flipped.h5: it is damaged: its bytes are not those that were written" eval flipped.h5
for file in "$SOURCE"/tests/data/damaged/*.h5; do
  for command in inspect eval "diff good/last.h5" "data info"; do
    # shellcheck disable=SC2086
    expect 3 "$file: " "$SRQ" $command "$file"
  done
done
# The newest checkpoint of a run: passed over if it is damaged, and waited for if it is in use.
cp -r good broken && newest=$(readlink -f broken/last.h5)
cp "$SOURCE/tests/data/damaged/attribute-table.h5" "$newest"
expect 0 "skipping a checkpoint that cannot be used" "$SRQ" train lenet-run.cfg --out broken --resume auto
expect 0 "equal: " "$SRQ" diff good broken
cp -r good used && newest=$(readlink -f used/last.h5)
python3 -c 'import fcntl, sys, time
f = open(sys.argv[1], "r+"); fcntl.flock(f, fcntl.LOCK_EX); print("locked", flush=True); time.sleep(100)' "$newest" > locked & holder=$!
until grep -q locked locked; do sleep 0.05; done
before=$(find used -type f -exec md5sum {} + | sort)
expect 3 "it is in use: another process (process $holder, python3) has it open for writing" "$SRQ" train lenet-run.cfg --out used --resume auto
[ "$before" = "$(find used -type f -exec md5sum {} + | sort)" ] || fail "a run whose checkpoint is in use was changed"
kill $holder

# Run directories
before=$(find good -type f -exec md5sum {} + | sort)
everywhere 2 "it holds a run already; resume it with \`--resume auto\`" train lenet-run.cfg --out good
everywhere 2 "it holds a run of another configuration (train.seed is 2 here and 1 there)" train lenet-run.cfg --out good --resume auto --set train.seed=2
cp -r "$SOURCE/tests/data/fashion-slice" shifted && chmod -R u+w shifted && gunzip shifted/train-images-idx3-ubyte.gz
"$SRQ" data import shifted shifted.h5 > out || fail "import: $(cat out)"
everywhere 3 "it is not the data set that the run was started with" train lenet-run.cfg --out good --resume auto --set data.file=shifted.h5
[ "$before" = "$(find good -type f -exec md5sum {} + | sort)" ] || fail "a refused run changed the run directory"
mkdir full-of-mine && echo x > full-of-mine/letter.txt
everywhere 2 "holds other files and no run of srq" train lenet-run.cfg --out full-of-mine
[ "$(ls full-of-mine)" = letter.txt ] || fail "a refused run left files: $(ls full-of-mine)"
everywhere 2 "it is a file" train lenet-run.cfg --out lenet.cfg
everywhere 4 "cannot create the folder" train lenet-run.cfg --out /proc/none/run

# A loss that runs away ends with the layer's name, and the last checkpoint stays.
everywhere 4 "lower optimizer.learning_rate" train lenet-run.cfg --out r --set optimizer.method=sgd --set optimizer.learning_rate=1e6 --set quantizer.method=float32 --set train.checkpoint_every=1it
finish
