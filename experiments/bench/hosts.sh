#!/usr/bin/env bash
# usage: experiments/bench/hosts.sh [ROUNDS]
# Measures communication on four emulated hosts with links of 1 Gbit/s (tests/lab; needs root and iproute2):
# - sums between ranks, compared with MPI_Allreduce, with float32 and bfloat16 on the wire;
# - training steps with overlap, without it, and with overlap and bfloat16, in alternating rounds, for VGG-7 and for a
#   network of dense layers whose speed is limited by the links.
# The hosts share the cores of this machine. tests/e2e/hosts.sh counts the bytes on the links.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ -z "${IN_LAB:-}" ]; then IN_LAB=1 exec "$root/tests/lab/alone.sh" bash "$0" "$@"; fi
rounds=${1:-3} hosts=4
srq=${SRQ:-$root/build/release/bin/srq}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
"$root/tests/lab/hosts-up.sh" $hosts tbf rate 1gbit burst 64kb latency 50ms
cat > "$work/wide.cfg" << 'END'
name = "wide"; input = { height = 28; width = 28; channels = 1; };
layers = (
  { name = "fc1"; type = "dense"; out = 2048; }, { name = "relu1"; type = "relu"; }, { name = "act1"; type = "quantize"; },
  { name = "fc2"; type = "dense"; out = 2048; }, { name = "relu2"; type = "relu"; }, { name = "act2"; type = "quantize"; },
  { name = "fc3"; type = "dense"; out = 10; } );
END

across() {
  timeout 300 "$root/tests/lab/hosts-agent.sh" h1 "mpirun --quiet --oversubscribe --bind-to none \
    --mca plm_rsh_agent '$root/tests/lab/hosts-agent.sh' --mca pml ob1 --mca btl tcp,self --mca mpi_yield_when_idle 1 \
    --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 -H $(seq -s, -f 10.77.0.%g $hosts) -n $hosts '$srq' $*"
}

across bench allreduce --seconds 5
across bench allreduce --seconds 5 --wire bfloat16
for _ in $(seq "$rounds"); do
  for variant in "overlap" "no-overlap --no-overlap" "overlap-bfloat16 --wire bfloat16"; do
    for model in "vgg7 $root/experiments/models/vgg7.cfg 64" "wide $work/wide.cfg 256"; do
      # shellcheck disable=SC2086
      set -- $variant $model
      name=$1
      shift
      options=
      while [ $# -gt 3 ]; do options="$options $1"; shift; done
      across "bench step --model $2 --batch $3 --shards $hosts --seconds 5 --json $options" > "$work/one.json"
      python3 -c 'import json,sys
d = json.load(open(sys.argv[1]))
print(sys.argv[2], sys.argv[3], d["seconds"], d["parts"]["exchange"] + d["parts"]["join"], d["bytes_sent"])' "$work/one.json" "$1" "$name"
    done
  done
done > "$work/rows"
python3 - "$work/rows" << 'END'
import statistics, sys
rows = {}
for line in open(sys.argv[1]):
    model, variant, *numbers = line.split()
    rows.setdefault((model, variant), []).append([float(x) for x in numbers])
print("\n| network | | ms a step | of these waiting for others | MB sent by a rank |\n|---|---|---|---|---|")
for (model, variant), r in sorted(rows.items()):
    step, waits, sent = (statistics.median(c) for c in zip(*r))
    print(f"| {model} | {variant} | {1e3 * step:.0f} | {1e3 * waits:.0f} | {sent / 1e6:.1f} |")
END
