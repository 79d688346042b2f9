#!/usr/bin/env bash
# Everything wrong with images that a user may hand in: one message, the documented status on every rank, nothing lost.
. "$(dirname "$0")/lib.sh"
: "${MAKE_IMAGES:?the program that makes images}"
cd "$WORK" || exit 1
CLEAN=d.h5.parts
"$MAKE_IMAGES" good train 2 30 20 24 && "$MAKE_IMAGES" good test 2 9 20 24 || fail "make_images"
fresh() { rm -rf f d.h5.parts && cp -r good f; }

# Single images. All are looked at, all are listed.
fresh && echo "Dear Sir" > f/train/c0/005.jpg
everywhere 3 "1 of 78 images are bad, the first is f/train/c0/005.jpg: neither a JPEG nor a PNG image" data import f d.h5
fresh && head -c 300 good/train/c1/002.jpg > f/train/c1/002.jpg
everywhere 3 "f/train/c1/002.jpg: a truncated JPEG" data import f d.h5
fresh && "$MAKE_IMAGES" cmyk f/test/c0/004.jpg
expect 0 "converted 1 CMYK JPEG to RGB, without colour profiles" on_ranks $FEW data import f d.h5
rm -f d.h5
fresh && : > f/train/c0/000.jpg && ln -s nowhere f/test/c1/x.jpg && echo text > f/train/c1/notes.png
everywhere 3 "3 of 80 images are bad, the first is f/train/c0/000.jpg: an empty file" data import f d.h5
[ "$(grep -c '^bad image: ' out)" = 3 ] || fail "not three bad images are listed: $(cat out)"
grep -q '^bad image: f/test/c1/x.jpg: No such file or directory' out || fail "the unreadable one is not listed: $(cat out)"
[ ! -e d.h5 ] || fail "a refused import left a file"
if [ "$(id -u)" != 0 ]; then
  chmod 0 f/train/c0/001.jpg
  everywhere 3 "Permission denied" data import f d.h5
  chmod 644 f/train/c0/001.jpg
fi
on_ranks 2 data import f d.h5 --skip-bad > out 2>&1 || fail "--skip-bad: $(cat out)"
grep -q "skipped 3 bad images, listed in d.h5.skipped.txt" out || fail "--skip-bad does not say how many: $(cat out)"
[ "$(wc -l < d.h5.skipped.txt)" = 3 ] || fail "the list of skipped images: $(cat d.h5.skipped.txt)"
grep -q "wrote d.h5: 59 training and 18 test images" out || fail "--skip-bad: $(cat out)"
[ ! -e d.h5.parts ] || fail "parts are left: $(ls d.h5.parts)"

# Folders
rm -f d.h5 d.h5.skipped.txt
fresh && mkdir f/train/c2
everywhere 3 "f/train/c2: a class without images" data import f d.h5
fresh && rm -r f/train/c1 f/test/c1
everywhere 3 "f/train: only one class, \"c0\"" data import f d.h5
fresh && mv f/test/c1 f/test/c7
everywhere 3 "f/test/c7/1000.jpg: its class is not one of the 2 in train/" data import f d.h5
fresh && rm -r f/test
everywhere 3 "neither test/ nor val/" data import f d.h5
mkdir unknown && echo x > unknown/letter.txt
everywhere 3 "it contains no known format; it must contain one of" data import unknown d.h5
everywhere 2 "data: no option is called --skip-all (did you mean --skip-bad?); usage: srq data import" data import f d.h5 --skip-all
mkdir cifar
for i in 1 2 3 4 5; do head -c 30730 /dev/zero > cifar/data_batch_$i.bin; done
head -c 30000 /dev/zero > cifar/test_batch.bin
everywhere 3 "cifar/test_batch.bin: cut short or not of CIFAR-10: 30000 bytes" data import cifar d.h5
[ ! -e d.h5 ] && [ ! -e d.h5.parts ] || fail "a refused import left: $(ls -d d.h5*)"

# Destinations
"$SRQ" data import good quiet.h5 --quiet > out 2>&1 || fail "import: $(cat out)"
[ ! -s out ] || fail "--quiet: $(cat out)"
"$SRQ" data import good d.h5 > out || fail "import: $(cat out)"
cmp d.h5 quiet.h5 || fail "--quiet makes another file"
fresh && "$MAKE_IMAGES" f train 2 31 20 24
before=$(md5sum < d.h5)
everywhere 2 "d.h5: it exists already and holds another data set" data import f d.h5
[ "$before" = "$(md5sum < d.h5)" ] || fail "a data set was overwritten"
echo "the user's" > mine.h5
everywhere 2 "mine.h5: it exists already and is not a whole data set" data import f mine.h5
[ "$(cat mine.h5)" = "the user's" ] || fail "a file of the user's was overwritten"

mkdir folder
everywhere 2 "the name of the data set is empty; name a file such as data.h5" data import good ""
everywhere 2 "folder: it is a folder; name the file to write, such as folder/data.h5" data import good folder

# Two imports at once: one writes the whole, and the other is refused or finds it done. One that was killed blocks none.
rm -f d.h5
"$SRQ" data import f d.h5 > one 2>&1 &
one=$!
"$SRQ" data import f d.h5 > two 2>&1
two=$?
wait $one
one=$?
for status in $one $two; do [ "$status" = 0 ] || [ "$status" = 2 ] || fail "two at once: $one $two $(cat one two)"; done
[ "$one" = 0 ] || [ "$two" = 0 ] || fail "two at once: none wrote: $(cat one two)"
# The first one's name is there a moment after its lock.
cat one two | grep '^srq: ' | grep -vE "d.h5: another import is writing it( \(process [0-9]+ on .+\))?; wait until it has ended" && fail "two at once: $(cat one two)"
expect 0 "62 training and 18 test images" "$SRQ" data info d.h5
rm -f d.h5
flock d.h5.lock sleep 60 &
holder=$!
until [ -e d.h5.lock ] && ! flock -n d.h5.lock true; do sleep 0.02; done
expect 2 "d.h5: another import is writing it; wait until it has ended" "$SRQ" data import f d.h5
echo "process 7 on h1" > d.h5.lock
expect 2 "d.h5: another import is writing it (process 7 on h1); wait until it has ended" "$SRQ" data import f d.h5
kill -9 $holder $(pgrep -P $holder)
wait $holder 2> /dev/null
expect 0 "wrote d.h5" "$SRQ" data import f d.h5
[ ! -e d.h5.lock ] && [ ! -e d.h5.parts ] || fail "left over: $(ls -d d.h5*)"

# Encoded images that were damaged after the import: the tables before a run, single images within it.
"$MAKE_IMAGES" large train 2 60 70 72 && "$MAKE_IMAGES" large test 2 9 70 72 || fail "make_images"
"$SRQ" data import large large.h5 > out || fail "import: $(cat out)"
cat > m.cfg << 'END'
name = "m"; input = { height = 16; width = 16; channels = 3; };
layers = ( { name = "c"; type = "conv"; out = 4; kernel = 4; stride = 4; }, { name = "fc"; type = "dense"; out = 2; } );
END
cat > run.cfg << 'END'
model = "m.cfg"; data = { file = "large.h5"; }; train = { batch = 40; shards = 4; epochs = 3; checkpoint_every = "1it"; keep = 9; };
END
sed 's/16/20/g' m.cfg > small.cfg
everywhere 3 "its images are 20 x 24 x 3 (height x width x channels), but the model \"m\" takes 20 x 20 x 3" train run.cfg --out r --set model=small.cfg --set data.file=d.h5
sed 's/channels = 3/channels = 1/' m.cfg > grey.cfg
everywhere 3 "its images have 3 channels (RGB), but the model \"m\" takes 1" train run.cfg --out r --set model=grey.cfg
size=$(stat -c %s large.h5)
head -c $((size - 1)) large.h5 > cut.h5
everywhere 3 "cut.h5: " train run.cfg --out r --set data.file=cut.h5
[ ! -e r ] || fail "a refused run left a folder"
if /usr/bin/python3 -c 'import h5py' 2> /dev/null; then
  hurt() { cp large.h5 hurt.h5 && /usr/bin/python3 -c "import h5py; f = h5py.File('hurt.h5', 'r+'); $1"; }
  hurt "f['train/offsets'][5] = f['train/offsets'][4] - 1"
  everywhere 3 "data set train/offsets puts image 4 at bytes" train run.cfg --out r --set data.file=hurt.h5
  hurt "f['test/offsets'][5] = 10**12"
  everywhere 3 "data set test/offsets puts image 4 at bytes" train run.cfg --out r --set data.file=hurt.h5
  expect 3 "data set test/offsets puts image 4 at bytes" "$SRQ" data info hurt.h5
  hurt "f['train/bytes'][f['train/offsets'][77] + 500] ^= 4"
  everywhere 3 "the bytes of train image 77 are damaged" train run.cfg --out r --set data.file=hurt.h5
  hurt "f['test/bytes'][f['test/offsets'][3] + 500] ^= 4"
  everywhere 3 "the bytes of test image 3 are damaged" train run.cfg --out r --set data.file=hurt.h5
  "$SRQ" inspect r/last.h5 > /dev/null || fail "the last checkpoint is not whole"
  mv r kept
  everywhere 3 "the bytes of test image 3 are damaged" eval kept
  # With its checksum made right: what a stranger wrote.
  hurt "import zlib; b = f['train/bytes'][:]; o = f['train/offsets'][:]; b[o[9]] = 0; f['train/bytes'][:] = b; f['train/crc32'][9] = zlib.crc32(b[o[9]:o[10]].tobytes())"
  everywhere 3 "hurt.h5: train image 9: neither a JPEG nor a PNG" train run.cfg --out r --set data.file=hurt.h5
  # A file of this layout by h5py is as good; its bytes must be contiguous.
  /usr/bin/python3 - << 'END' || fail "h5py cannot copy the data set"
import h5py
with h5py.File("large.h5") as a, h5py.File("mine2.h5", "w") as b, h5py.File("packed.h5", "w") as c:
    for k, v in a.attrs.items(): b.attrs[k] = c.attrs[k] = v
    def copy(name, x):
        if isinstance(x, h5py.Dataset):
            b[name] = x[()]
            c.create_dataset(name, data=x[()], compression="gzip" if name.endswith("bytes") else None)
    a.visititems(copy)
END
  on_ranks $FEW train run.cfg --out r1 > out 2>&1 && on_ranks $FEW train run.cfg --out r2 --set data.file=mine2.h5 >> out 2>&1 || fail "$(tail -3 out)"
  same_bits r1 r2
  everywhere 3 "data set train/bytes must be one row of bytes, contiguous and without a filter" train run.cfg --out r --set data.file=packed.h5
fi

# No room
mkdir small
if mount -t tmpfs -o size=${TMPFS_SIZE:-300k} tmpfs small 2> /dev/null; then
  trap 'umount "$WORK/small"; rm -rf "$WORK"' EXIT
  "$MAKE_IMAGES" many train 2 400 70 72 && "$MAKE_IMAGES" many test 2 9 70 72 || fail "make_images"
  everywhere 4 "No space left on device" data import many small/d.h5
  [ ! -e small/d.h5 ] || fail "half a file is there"
  # Room for the parts, but not for the whole: the parts serve when there is more.
  mount -o remount,size=$(($(du -sk many/train --apparent-size | cut -f1) * 3 / 2))k small
  everywhere 4 "No space left on device" data import many small/d.h5
  [ ! -e small/d.h5 ] && [ -z "$(find small -name 'whole.h5*')" ] || fail "half a file is there: $(find small)"
  mount -o remount,size=100m small
  on_ranks $FEW data import many small/d.h5 > out 2>&1 || fail "import with room: $(cat out)"
  grep -q "818 of 818 images were imported before" out || fail "the parts were not used: $(cat out)"
  [ "$(ls -A small)" = d.h5 ] || fail "left over: $(ls -A small)"
fi
finish
