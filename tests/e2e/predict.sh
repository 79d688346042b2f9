#!/usr/bin/env bash
# Predictions of images, folders and data sets are those of evaluation. Results by class add up on any number of ranks.
. "$(dirname "$0")/lib.sh"
: "${MAKE_IMAGES:?the program that makes images}"
cd "$WORK" || exit 1
python=/usr/bin/python3

# Images of one size become pixels; those of different sizes stay encoded. A class with the name of a formula.
"$MAKE_IMAGES" small train 3 40 12 10 && "$MAKE_IMAGES" small test 3 30 12 10 || fail "make_images"
"$MAKE_IMAGES" large train 3 40 40 48 30 && "$MAKE_IMAGES" large test 3 30 40 48 30 || fail "make_images"
for kind in small large; do
  mv $kind/train/c1 "$kind/train/=c1" && mv $kind/test/c1 "$kind/test/=c1" || fail "mv"
  expect 0 "wrote $kind.h5" "$SRQ" data import $kind $kind.h5
done
cat > small.cfg << 'END'
name = "small"; input = { height = 12; width = 10; channels = 3; };
layers = ( { name = "conv1"; type = "conv"; out = 6; kernel = 3; }, { name = "relu1"; type = "relu"; },
  { name = "act1"; type = "quantize"; }, { name = "fc"; type = "dense"; out = 3; } );
END
sed 's/small/large/; s/height = 12; width = 10/height = 32; width = 32/; s/kernel = 3/kernel = 5; stride = 4/' small.cfg > large.cfg
for kind in small large; do
  [ $kind = small ] && validation=12.0 || validation=0.0
  echo "model = \"$kind.cfg\"; data = { file = \"$kind.h5\"; validation = $validation; }; train = { batch = 40; shards = 8; max_steps = 3; };" > $kind-run.cfg
  expect 0 "done: test error" "$SRQ" train $kind-run.cfg --out $kind-run
done

# A network keeps the mean and standard deviation of its training on images of another data set, as its deployed file does.
for kind in small large; do
  [ $kind = small ] && size="12 10" || size="40 48 30"
  # shellcheck disable=SC2086
  "$MAKE_IMAGES" other-$kind train 3 7 $size && "$MAKE_IMAGES" other-$kind test 3 9 $size || fail "make_images"
  "$SRQ" data import other-$kind other-$kind.h5 > log 2>&1 && "$SRQ" export $kind-run --to h5 $kind-net.h5 > log 2>&1 || fail "$(cat log)"
  cmp -s <("$SRQ" data info $kind.h5 | grep mean) <("$SRQ" data info other-$kind.h5 | grep mean) && fail "the data sets have the same mean"
  "$SRQ" predict $kind-run other-$kind.h5 --csv --logits > of-run.csv && "$SRQ" predict $kind-net.h5 other-$kind.h5 --csv --logits > of-net.csv &&
    [ "$(wc -l < of-run.csv)" = 28 ] && cmp -s of-run.csv of-net.csv || fail "other logits of the run and of its deployed file on other-$kind.h5"
  expect 0 "$("$SRQ" eval $kind-net.h5 --data other-$kind.h5)" "$SRQ" eval $kind-run --data other-$kind.h5
  grep -qF "with the mean and standard deviation of the network's training images" out || fail "not said: $(cat out)"
  "$SRQ" export $kind-run --to h5 by-data-$kind.h5 --data other-$kind.h5 > log 2>&1 && "$SRQ" predict by-data-$kind.h5 other-$kind.h5 --csv --logits | cmp -s - of-run.csv ||
    fail "export --data takes the mean of other-$kind.h5"
done
# --resume FILE on another data set keeps them, too; train.init does not, for it begins another training.
statistics() { "$SRQ" inspect "$1" --json | sed -n '/"normalization"/,/"std"/p'; }
"$SRQ" train small-run.cfg --out continued --set data.file=other-small.h5 --set train.max_steps=5 --set data.validation=0.0 --resume small-run > log 2>&1 || fail "$(cat log)"
"$SRQ" train small-run.cfg --out begun --set data.file=other-small.h5 --set train.max_steps=1 --set data.validation=0.0 --set train.init=small-run > log 2>&1 || fail "$(cat log)"
[ "$(statistics small-run)" = "$(statistics continued)" ] || fail "a continued network has another mean: $(statistics continued)"
[ "$(statistics small-run)" != "$(statistics begun)" ] || fail "a new training has the mean of another data set"

# classes.json of the run is what evaluation of its best checkpoint says, on 1 and 3 ranks.
ln -s last.h5 large-run/best.h5
for kind in small large; do
  "$SRQ" eval $kind-run/best.h5 --classes --json > $kind-eval.json || fail "eval --classes: $(cat $kind-eval.json)"
done
on_ranks 3 eval small-run/best.h5 --classes --json > three.json || fail "eval --classes on 3 ranks"
cmp -s small-eval.json three.json || fail "other results by class on 3 ranks: $(cat three.json)"
expect 0 "Confusion matrix" "$SRQ" eval small-run --classes
for kind in small large; do
  "$SRQ" predict $kind-run/best.h5 $kind.h5 --json --logits > $kind-split.json || fail "predict $kind.h5: $(cat $kind-split.json)"
  "$SRQ" predict $kind-run/best.h5 $kind/test --json --logits --top 2 > $kind-folder.json || fail "predict $kind/test"
done
for split in train validation; do "$SRQ" predict small-run small.h5 --split $split --csv > $split.csv || fail "--split $split"; done
cp small/test/c0/1000.jpg '=1+1.jpg' && echo text > bad.png && mkdir none && head -c 200 small/test/c0/1001.jpg > cut.jpg
"$SRQ" predict small-run '=1+1.jpg' bad.png none missing.jpg cut.jpg small/test/c0 --csv --top 9 > some.csv 2> some.err
[ $? = 3 ] || fail "bad images, status: $(cat some.err)"
# A deployed network needs no data set for images, and says what the run says.
"$SRQ" predict large-net.h5 large/test --json > net.json 2> log || fail "deployed: $(cat log)"
"$SRQ" eval large-net.h5 --data large.h5 --classes --json > net-eval.json || fail "eval of a deployed network"
if [ -x "$python" ]; then
  "$python" - << 'END' || fail "predictions are not those of evaluation"
import csv, glob, json, math

one = json.load(open("small-eval.json"))
file = json.load(open("small-run/classes.json"))
for key in file:
    assert one[key] == file[key], (key, one[key], file[key])
assert [c["name"] for c in one["classes"]] == ["=c1", "c0", "c2"] and "top5_error" not in one
assert sum(map(sum, one["confusion"])) == one["test_count"] == 90
assert sum(c["wrong"] for c in one["classes"]) == one["test_wrong"]

for kind in "small", "large":
    split, folder, found = (json.load(open(f"{kind}-{what}.json")) for what in ("split", "folder", "eval"))
    assert split["wrong"] == found["test_wrong"] and split["count"] == 90 == len(split["images"])
    confusion = [[0] * 3 for _ in range(3)]
    for image in split["images"]:
        confusion[image["label"]][image["top"][0]["index"]] += 1
    assert confusion == found["confusion"], (confusion, found["confusion"])
    # The images of the folder are those of the test split, in the same order here, to the last bit of their logits.
    assert [i["image"] for i in folder["images"]] == sorted(glob.glob(f"{kind}/test/*/*.jpg"))
    assert [i["logits"] for i in folder["images"]] == [i["logits"] for i in split["images"]]
    for image in folder["images"]:
        best = image["top"][0]
        total = sum(math.exp(x - max(image["logits"])) for x in image["logits"])
        assert len(image["top"]) == 2 and best["probability"] >= image["top"][1]["probability"]
        assert image["logits"][best["index"]] == max(image["logits"]) and abs(best["probability"] * total - 1) < 1e-8
        assert best["class"] == folder["classes"][best["index"]]

net, folder, found, run = (json.load(open(f)) for f in ("net.json", "large-folder.json", "net-eval.json", "large-eval.json"))
assert [i["top"][0]["class"] for i in net["images"]] == [i["top"][0]["class"] for i in folder["images"]]
assert found["confusion"] == run["confusion"] and found["classes"] == run["classes"]

train, validation = (list(csv.DictReader(open(f"{split}.csv"))) for split in ("train", "validation"))
numbers = [int(row["image"].split("/")[1]) for row in train + validation]
assert len(validation) == 12 and sorted(numbers) == list(range(120))

rows = list(csv.DictReader(open("some.csv")))
assert rows[0]["image"] == "'=1+1.jpg" and len(rows) == 31 and {r["class"] for r in rows} <= {"'=c1", "c0", "c2"}
assert rows[0]["probability"] == next(r for r in rows if r["image"] == "small/test/c0/1000.jpg")["probability"]
assert abs(sum(float(rows[0]["probability" + k]) for k in ("", "_2", "_3")) - 1) < 1e-9
END
fi
[ "$(grep -c '^bad image: ' some.err)" = 4 ] && [ "$(grep -c '^srq: ' some.err)" = 1 ] || fail "bad images: $(cat some.err)"
grep -qF 'bad image: cut.jpg: a truncated JPEG' some.err && grep -qF 'bad image: none: this folder and those below it hold no' some.err ||
  fail "bad images are not named: $(cat some.err)"
grep -qF 'srq: predict: 4 of 35 images could not be read (named above)' some.err || fail "no summary: $(cat some.err)"
expect 0 "$(sed -n 's/.*"test_wrong": \([0-9]*\).*/(\1 of 90)/p' small-eval.json)" "$SRQ" predict small-run/best.h5 small.h5
expect 3 "nothing.h5" "$SRQ" predict small-run missing.jpg --data nothing.h5

# What is wrong on the command line.
expect 2 "no checkpoint is named" "$SRQ" predict
expect 2 "no image, folder or data set is named" "$SRQ" predict small-run
expect 2 "--split needs a data set" "$SRQ" predict small-run small --split test
expect 2 "--split takes test, train or validation, but here is tset" "$SRQ" predict small-run small.h5 --split tset
expect 2 "exclude each other" "$SRQ" predict small-run small --csv --json
expect 2 "--top takes a number of classes from 1 on, but here is 0" "$SRQ" predict small-run small --top 0
expect 2 "a data set is to be the only input" "$SRQ" predict small-run small.h5 small
expect 2 "(did you mean --top?)" "$SRQ" predict small-run small --topp 2
expect 3 "its images are 12 x 10 x 3 (height x width x channels), but the model \"large\" takes 32 x 32 x 3" "$SRQ" predict large-run small/test --data small.h5
expect 3 "nowhere" "$SRQ" predict nowhere small
mkdir empty && cp small-run/config.cfg empty/ && : > empty/log.jsonl
expect 3 "this run has no checkpoint yet" "$SRQ" predict empty small
expect 2 "trained without validation images" "$SRQ" predict large-run large.h5 --split validation
finish
