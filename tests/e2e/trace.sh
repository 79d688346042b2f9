#!/usr/bin/env bash
# What a run shows of itself: a trace of all ranks, and where their time goes in log.jsonl.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
config="$WORK/residual-run.cfg"
on_ranks 3 train "$config" --out "$WORK/run" --trace "$WORK/trace" --trace-steps 16:20 > "$WORK/log" 2>&1 || fail "train: $(tail -n 3 "$WORK/log")"
grep -q "trace of all ranks: $WORK/trace/trace-00000016-00000020.json" "$WORK/log" || fail "does not name the trace: $(cat "$WORK/log")"
[ "$(ls "$WORK/trace")" = trace-00000016-00000020.json ] || fail "besides the trace there is: $(ls -A "$WORK/trace")"
python3 - "$WORK/trace/trace-00000016-00000020.json" << 'END' || fail "the trace is not as it should be"
import collections, json, sys
trace = json.load(open(sys.argv[1]))
assert (trace["otherData"]["ranks"], trace["otherData"]["first_step"], trace["otherData"]["last_step"]) == (3, 16, 20)
names = {e["pid"]: e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "process_name"}
assert sorted(names) == [0, 1, 2] and all(names[r].startswith(f"rank {r} on ") for r in names), names
events = [e for e in trace["traceEvents"] if e["ph"] == "X"]
lanes = collections.defaultdict(list)
for e in events: lanes[e["pid"], e["tid"]].append((round(1000 * e["ts"]), -round(1000 * e["dur"]), e["name"], e["cat"]))
for rank in names:
    count = collections.Counter(name for _, _, name, kind in lanes[rank, 0] if name.split()[0] == kind)
    # 60 images in 8 shards over 3 ranks. The epoch ends with step 18, of 4 images, one in every other shard, and is evaluated.
    own, full = [2, 3, 3][rank], 4 * [2, 3, 3][rank] + [1, 1, 2][rank]
    for name, times in {**{f"step {s}": 1 for s in range(16, 21)}, "sum": 5, "update": 5, "begin": 5, "evaluate": 1}.items():
        assert count[name] == times, (rank, name, count[name])
    kinds = collections.Counter((name, kind) for _, _, name, kind in lanes[rank, 0])
    for kind in "forward", "backward data", "backward weights":
        assert kinds["conv2", kind] == full, (rank, kind, kinds["conv2", kind])
    assert sum(1 for *_, kind in lanes[rank, 0] if kind == "shard") == 5 * own
    assert any(name == "exchange" for _, _, name, _ in lanes[rank, 1]) and lanes[rank, 2]
# Within a lane an event lies inside another or beside it.
for lane in lanes.values():
    open_ = []
    for begin, minus_length, name, _ in sorted(lane):
        end = begin - minus_length
        while open_ and open_[-1] <= begin: open_.pop()
        assert end >= begin and (not open_ or end <= open_[-1]), name
        open_.append(end)
# Clocks are brought to one: a step is over on all ranks before its next one is over on any.
ends = collections.defaultdict(list)
for e in events:
    if e["cat"] == "step": ends[int(e["name"].split()[1])].append(e["ts"] + e["dur"])
for step in range(16, 20): assert max(ends[step]) < min(ends[step + 1]), (step, ends)
END
# Once more: nothing is written over. The result is the same with and without.
on_ranks 2 train "$config" --out "$WORK/again" --trace "$WORK/trace" --trace-steps 16:20 > "$WORK/log" 2>&1 || fail "again: $(tail -n 3 "$WORK/log")"
[ "$(find "$WORK/trace" -type f | wc -l)" = 2 ] || fail "not two traces: $(ls -A "$WORK/trace")"
same_bits "$WORK/run" "$WORK/again"
python3 - "$WORK/run/log.jsonl" << 'END' || fail "the shares in log.jsonl"
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
steps = [line for line in lines if line["event"] == "step"]
assert len(steps) >= 6
for line in steps:
    for shares in line, line["slowest"]:
        parts = [shares[name] for name in ("compute", "exchange", "data_wait")]
        assert all(0 <= p for p in parts) and 0.01 < sum(parts) < 1.05, line
    assert line["slowest"]["rank"] in (0, 1, 2) and line["slowest"]["compute"] >= line["compute"] - 1e-4
END
expect 2 "--trace-steps is \"20:16\"" "$SRQ" train "$config" --out "$WORK/no" --trace "$WORK/trace" --trace-steps 20:16
expect 2 "add --trace DIR" "$SRQ" train "$config" --out "$WORK/no" --trace-steps 1:2
[ ! -e "$WORK/no" ] || fail "a run was begun"
expect 0 "no trace: its steps are not among the steps that are left, 1 to 36" "$SRQ" train "$config" --out "$WORK/late" --trace "$WORK/trace" --trace-steps 100:120
[ "${SANITIZED:-OFF}" = ON ] || expect 0 "no trace: cannot create the folder" "$SRQ" train "$config" --out "$WORK/unwritten" --trace /dev/null/no
finish
