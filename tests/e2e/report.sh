#!/usr/bin/env bash
# srq report: on what is finished, under way, failed, empty, hostile by name, and on a hundred runs; the pages are whole,
# need nothing from outside, and nobody's files are written over.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
cd "$WORK" || exit 1
pictures=yes
command -v gnuplot > /dev/null || pictures=no

# Whether pages are whole: HTML whose elements close, SVG that is XML, nothing loaded, ids that are there once; CSV and
# Markdown tables with as many cells in every row.
check_pages() { # FOLDER
  python3 - "$1" << 'END' || fail "pages of $1"
import csv, glob, os, re, sys
from html.parser import HTMLParser
from xml.etree import ElementTree
folder = sys.argv[1]
page = open(folder + "/report.html", encoding="utf-8").read()
void = {"meta", "link", "br", "img", "hr"}
class Check(HTMLParser):
    def __init__(self):
        super().__init__(); self.open, self.ids = [], []
    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            assert not name.startswith("on") and name not in ("src", "srcset"), (tag, name)
            if name in ("href", "xlink:href"): assert value.startswith("#"), value
            if name == "id": self.ids.append(value)
        assert tag not in ("script", "b", "img", "iframe"), tag
        if tag not in void: self.open.append(tag)
    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in void: self.open.pop()
    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (self.open, tag); self.open.pop()
check = Check(); check.feed(page); check.close()
assert not check.open, check.open
assert len(check.ids) == len(set(check.ids))
for url in re.findall(r"(?:https?:)?//[^\s\"'<]+", page): assert "www.w3.org" in url or "w3.org" in url, url
assert "url(" not in page.replace("url(#", "")
inline = re.findall(r"<svg.*?</svg>", page, re.S)
for svg in inline: ElementTree.fromstring(svg)
files = sorted(glob.glob(folder + "/plots/*.svg"))
left_out = len(re.findall(r"\(plots/[a-z0-9-]+\.svg\)", page))
assert len(files) == len(inline) + left_out == len(glob.glob(folder + "/plots/*.png")), (files, len(inline))
assert len(page.encode()) <= 1000000, len(page)
for name in re.findall(r"#([a-z0-9-]+-gp[A-Za-z0-9]+)", page): assert name in check.ids, name
for name in files: ElementTree.parse(name)
tickets = [name for name in ("tickets.csv", "pruning.csv") if os.path.exists(f"{folder}/{name}")]
for name in ["report.csv", "runs.csv"] + tickets:
    rows = list(csv.reader(open(f"{folder}/{name}", encoding="utf-8", newline="")))
    assert len(rows) > 1 and all(len(row) == len(rows[0]) for row in rows), rows
text = open(folder + "/report.md", encoding="utf-8").read()
tables = [[]]
for line in text.split("\n"):
    if line.startswith("|"): tables[-1].append(len(re.findall(r"(?<!\\)\|", line)))
    elif tables[-1]: tables.append([])
assert len(tables) >= 3 and all(len(set(table)) <= 1 for table in tables), tables
END
}

# Nothing there, and what is wrong on the command line.
mkdir empty
expect 3 "no run was found there" "$SRQ" report empty
[ -z "$(ls -A empty)" ] || fail "a report was made of nothing"
expect 3 "nowhere: No such file" "$SRQ" report nowhere
expect 2 "no run directory is named" "$SRQ" report
expect 2 "no option is called --ouch" "$SRQ" report empty --ouch
expect 2 "a folder is missing after --out" "$SRQ" report empty --out
expect 3 "no run was found there" "$SRQ" report --follow empty

# Seeds, learned bit-lengths, a name that is hostile, a run that fails, one that has no evaluation yet, one whose log is cut.
train() { # NAME ARGUMENTS...
  local name=$1
  shift
  "$SRQ" train "$WORK/lenet-run.cfg" --out "runs/$name" "$@" > "$WORK/log" 2>&1
}
bad_name=$'</td><script>alert(1)</script> & "q" \'`touch hacked`\' $(touch hacked) a|b\nc \xff'
train s1 || fail "s1: $(cat "$WORK/log")"
train s2 --set train.seed=2 --set train.keep=5 || fail "s2: $(cat "$WORK/log")"
train "$bad_name" --set dropbits.mode=learn --set quantizer.weight_bits=4 --set optimizer.gate_learning_rate=0.5 || fail "learn: $(cat "$WORK/log")"
printf 'model = "lenet.cfg"; data = { file = "slice.h5"; }; train = { max_steps = 9; init = "%s"; };\n' "$WORK/runs/s1" > tuned.cfg
"$SRQ" train tuned.cfg --out runs/tuned --set quantizer.weight_bits=8 > "$WORK/log" 2>&1 || fail "tuned: $(cat "$WORK/log")"
cp -r runs/s1 runs/begun
head -n 2 runs/s1/log.jsonl > runs/begun/log.jsonl
printf '{"event": "step", "step": 6, "los' >> runs/begun/log.jsonl
cp -r runs/s1 runs/nan
sed -i 's/learning_rate = 0.001;/learning_rate = 0.5;/' runs/nan/config.cfg
{ head -n 2 runs/s1/log.jsonl; echo '{"event": "step", "time": "2026-01-01T00:00:00Z", "step": 6, "epoch": 0.3, "loss": nan, "error": -nan}'
  echo '{"event": "eval", "time": "2026-01-01T00:00:00Z", "step": 6, "epoch": 0.3, "test_loss": inf, "test_error": nan}'
  echo '{"event": "stop", "step": 7, "reason": "step 7: layer \"fc1\" produces an infinity or NaN", "status": 4}'; } > runs/nan/log.jsonl
mkdir runs/broken runs/none
echo 'model = "nothing.cfg";' > runs/broken/config.cfg
: > runs/broken/log.jsonl
cp runs/s1/config.cfg runs/none
: > runs/none/log.jsonl
before=$(cd runs && find . -type f -exec sha256sum {} + | sort)
expect 0 "8 runs of 5 configurations: 4 finished, 1 running, 1 failed, 1 empty, 1 cannot be used" "$SRQ" report runs --out all
[ "$before" = "$(cd runs && find . -type f -exec sha256sum {} + | sort)" ] || fail "a report changed the runs"
grep -q 'produces an infinity or NaN' "$WORK/out" || fail "the failure is not said: $(cat "$WORK/out")"
grep -qE '^ *[0-9]+ +srq 2/2.* 2 +[0-9.]+ ± [0-9.]+ ' "$WORK/out" || fail "no mean over two seeds: $(cat "$WORK/out")"
[ ! -e hacked ] && [ ! -e all/plots/hacked ] || fail "a name was run"
check_pages all
grep -q 'init=run of srq 2/2' all/report.md || fail "the start of the tuned run is not said"
grep -q 'its log is empty' all/report.html || fail "the empty log is not shown"
if [ $pictures = yes ]; then
  for picture in cost curves-1 bits-1 weights-1; do [ -s all/plots/$picture.png ] || fail "no picture $picture: $(tail -3 "$WORK/out")"; done
  [ "$(head -c 4 all/plots/cost.png | tail -c 3)" = PNG ] || fail "cost.png is none"
  for word in conv1 "expected bits" "bit operations"; do grep -q "$word" all/plots/bits-1.svg || fail "no $word in the picture of bit-lengths"; done
  grep -q "srq 2/2" all/plots/cost.svg || fail "the points of cost.svg have no names"
  grep -qE "href='#cost-gpPt1[12]'" all/plots/cost.svg || fail "learned bit-lengths are no diamonds in cost.svg"
fi

# Only what is under way: no evaluation, no picture but curves.
cp -r runs/begun only
expect 0 "1 run of 1 configuration" "$SRQ" report only
check_pages only/report
expect 0 "finished" "$SRQ" report --follow runs/s1
grep -q "test error" "$WORK/out" || fail "--follow shows no evaluation: $(cat "$WORK/out")"
expect 0 "failed: step 7" "$SRQ" report --follow runs/nan
expect 2 "only one can be followed at a time" "$SRQ" report --follow runs

# A report is made again, without pictures that are no more; other files are left alone.
echo mine > all/plots/mine.svg
touch all/plots/curves-77.svg
expect 0 "1 run" "$SRQ" report runs/s1 --out all
[ ! -e all/plots/curves-77.svg ] && [ -e all/plots/mine.svg ] || fail "old pictures: $(ls all/plots)"
mkdir mine
echo mine > mine/report.md
expect 2 "mine/report.md exists already" "$SRQ" report runs --out mine
[ "$(cat mine/report.md)" = mine ] || fail "a file was written over"
expect 2 "it is a file" "$SRQ" report runs --out tuned.cfg

# Without gnuplot: all but the pictures.
mkdir bin
ln -s "$SRQ" bin/
expect 0 "apt-get install gnuplot-nox" env PATH="$WORK/bin" "$SRQ" report runs --out without
check_pages without
[ ! -e without/plots ] || fail "plots without gnuplot"

# A gnuplot that fails after the SVG, as one without cairo does: the plot is there without its PNG, and the page says why.
if [ $pictures = yes ]; then
  mkdir plain
  printf '#!/bin/sh\n[ "$2" = --version ] || sed -i "s/terminal pngcairo/terminal none-such/" "$2"\nexec %s "$@"\n' "$(command -v gnuplot)" > plain/gnuplot
  chmod +x plain/gnuplot
  expect 0 ": unknown or ambiguous terminal type" env PATH="$WORK/plain:$PATH" "$SRQ" report only --out plain-report
  [ -s plain-report/plots/curves-1.svg ] && [ ! -e plain-report/plots/curves-1.png ] && grep -q "<svg" plain-report/report.html || fail "without cairo: $(ls plain-report/plots)"
fi

# Two tickets of two seeds, one with a level of pruning to go: each stage is one configuration of its ticket.
ticket() { # NAME ARGUMENTS...
  local name=$1
  shift
  timeout 300 "$SRQ" ticket "$WORK/lenet-run.cfg" --out "tickets/$name" --seeds 1,2 --set train.max_steps=6 --set train.eval_every=0 "$@" > "$WORK/log" 2>&1
}
bits="--set dropbits.mode=learn --set quantizer.weight_bits=4"
pruning="--set prune.levels=2 --set prune.rate=0.5"
# shellcheck disable=SC2086
{
ticket 'a_b & <c>' $bits --stage learn --stage rewind --stage scratch || fail "ticket of bit-lengths: $(tail -3 "$WORK/log")"
ticket masks $pruning --stage learn --stage prune-01 --stage reinit-01 || fail "ticket of masks: $(tail -3 "$WORK/log")"
}
expect 0 "12 runs of 6 configurations: 12 finished" "$SRQ" report tickets
for row in "a_b & <c>: learn" "a_b & <c>: scratch" "masks: prune-01 (50 % of weights)" "masks: reinit-01 (50 % of weights)"; do
  grep -qE "^ *[0-9]+ +$(sed 's/[()]/\\&/g' <<< "$row") +2 +[0-9.]+ ± " "$WORK/out" || fail "no $row over two seeds: $(cat "$WORK/out")"
done
grep -q "^Ticket masks: Over 2 seeds, " "$WORK/out" || fail "no sentence: $(cat "$WORK/out")"
grep -q "ticket.json" "$WORK/out" && fail "a ticket.json that is whole is complained of: $(cat "$WORK/out")"
check_pages tickets/report
grep -q "pruning is at level 1 of 2" tickets/report/report.md || fail "the ticket is not said to be under way"
grep -q "a\\\\_b &amp; &lt;c" tickets/report/report.md || fail "the name of a ticket in Markdown: $(grep '^###' tickets/report/report.md)"
[ "$(grep -c "^masks,prune-01,reinit-01,2," tickets/report/tickets.csv)" = 1 ] || fail "$(cat tickets/report/tickets.csv)"
grep -q "^masks,1,0.5.*,prune-01,2," tickets/report/pruning.csv || fail "$(cat tickets/report/pruning.csv)"
if [ $pictures = yes ]; then
  [ "$(cd tickets/report/plots && echo ticket-*.svg pruning-*.svg)" = "ticket-1.svg ticket-2.svg pruning-1.svg" ] || fail "$(ls tickets/report/plots)"
fi
# The same ticket with more steps: the differences over the length of training.
# shellcheck disable=SC2086
ticket ../longer $pruning --stage learn --stage prune-01 --stage reinit-01 --set train.max_steps=9 || fail "a longer ticket: $(tail -3 "$WORK/log")"
expect 0 "Ticket " "$SRQ" report tickets/masks longer --out lengths
check_pages lengths
grep -qE "masks,prune-01,reinit-01,2,[^,]*,[^,]*,[^,]*,0\.[0-9]+,1" lengths/tickets.csv && grep -qE "longer,prune-01,reinit-01,2,.*,1.$" lengths/tickets.csv || fail "no series: $(cat lengths/tickets.csv)"
[ $pictures = no ] || grep -q "prune-01 - reinit-01" lengths/plots/lengths-1.svg || fail "no picture of the series: $(ls lengths/plots)"
# A stage that goes on, a ticket.json that is cut off, and one that is not there: the rest is shown.
head -c 100 tickets/masks/ticket.json > cut && mv cut tickets/masks/ticket.json
rm "tickets/a_b & <c>/ticket.json"
sed -i '$d' tickets/masks/seed-2/reinit-01/log.jsonl
# (From here on, where a case is about texts, without gnuplot, which takes most of the time of a report.)
expect 0 "12 runs of 6 configurations: 11 finished" env PATH="$WORK/bin" "$SRQ" report tickets
grep -q "ticket.json:[0-9]*: not valid JSON" "$WORK/out" || fail "a broken ticket.json is not said: $(cat "$WORK/out")"
grep -q "There is no ticket.json yet" "$WORK/out" || fail "a missing ticket.json is not said: $(cat "$WORK/out")"
grep -q "^Ticket masks: With one seed" "$WORK/out" || fail "no comparison of what is finished: $(cat "$WORK/out")"
check_pages tickets/report
# One ticket alone; then no ticket, of which no table is left.
expect 0 "3  reinit-01 (50 % of weights)" env PATH="$WORK/bin" "$SRQ" report tickets/masks --out tickets/report
expect 0 "1 run" env PATH="$WORK/bin" "$SRQ" report runs/s1 --out tickets/report
[ ! -e tickets/report/tickets.csv ] && [ ! -e tickets/report/plots/ticket-1.svg ] || fail "tickets of an earlier report: $(ls -R tickets/report)"

# A hundred runs of fifty configurations: a bounded number of pictures, in bounded time.
if [ "${SANITIZED:-OFF}" != ON ]; then
  mkdir many
  for i in $(seq 50); do
    for seed in 1 2; do
      mkdir -p "many/c$i-s$seed"
      sed "s/ learning_rate = 0.001;/ learning_rate = ${i}e-4;/; s/seed = 1;/seed = $seed;/" runs/s1/config.cfg > "many/c$i-s$seed/config.cfg"
      sed "s/\"test_error\": 0\./&$((RANDOM % 9))/" runs/s1/log.jsonl > "many/c$i-s$seed/log.jsonl"
    done
  done
  expect 0 "100 runs of 50 configurations: 100 finished" timeout 60 "$SRQ" report many
  check_pages many/report
  [ "$(find many/report/plots -name '*.svg' | wc -l)" -le 20 ] || fail "pictures: $(ls many/report/plots)"
fi

# Pages of measured results, from their logs.
mkdir packed
for logs in "$SOURCE"/experiments/results/*.tar.xz; do tar -xJf "$logs" -C packed || fail "$logs cannot be unpacked"; done
expect 0 "40 runs of 8 configurations: 40 finished" "$SRQ" report --table "$SOURCE/experiments/tables/lenet5-mnist.cfg" packed/lenet5-mnist --out page
check_pages page
path=$PATH
[ "$SHORT" = OFF ] || path=$WORK/bin
expect 0 "90 runs of 18 configurations: 90 finished" env PATH="$path" "$SRQ" report packed/lenet5-mnist-default-gain --out page
check_pages page
finish
