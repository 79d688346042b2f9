#!/usr/bin/env bash
# Times the sums of gradients on simulated nodes: the code of dist/ in SimGrid's SMPI (Debian: libsimgrid-dev), beside
# MPI_Allreduce, with the algorithms that Open MPI would choose, and the bound that bandwidth sets.
#
# usage: simulate.sh [NODES,... [GBIT,... [BUCKET[,BUCKET...]]]]
# By default, 2 to 64 nodes, 10 and 100 Gbit/s, and one bucket of 4,000,000 bytes. Of several buckets, each is summed
# after the one before it has been started. Each node has EACH ranks (by default 1), which share memory.
#
# A message takes 1 us and costs its sender 0.5 us, or its bytes over the sender's part of the bandwidth if that is more:
# a rank sends one message after another, and all ranks do so at the same time. The ranks of a node have equal parts of
# its bandwidth. With LINKS=shared, links are simulated instead (model CM02: messages that are on a link at the same time
# share its bandwidth), which takes far longer from 128 nodes on.
# Prints CSV: nodes, Gbit/s, bytes, and milliseconds of: the bound 2 (P-1)/P bytes / bandwidth; srq without halves
# (P - 1 messages for a bucket), with halves (2 log2 P messages), and by default; MPI_Allreduce. Before that, sums on
# 2, 4, 8 and 16 ranks are compared with the tree, bit for bit, with and without halves. WAYS chooses columns: by default
# "no_halves halves default mpi", and with several ranks a node "default" (halves are for one rank a node, and in this
# model MPI_Allreduce would pay for messages inside a node). TIMEOUT (600) seconds end one simulation; "-" then stands for
# its time. A bucket on 1,024 nodes takes 5 minutes of CPU time with halves, and an hour without.
set -e
each=${EACH-1} ways=${WAYS-no_halves halves default mpi}
[ "$each" = 1 ] || ways=${WAYS-default}
nodes=${1-2,4,8,16,32,64} gbits=${2-10,100} buckets=${3-4000000}
here=$(cd "$(dirname "$0")/../.." && pwd)
command -v smpicc > /dev/null || { echo "simulate.sh needs SimGrid: apt-get install libsimgrid-dev" >&2; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sources=()
for name in reduce halves join partners leaves tree wire; do sources+=("$here/dist/$name.c"); done
smpicc -std=gnu11 -O2 -I"$here" "$here/experiments/bench/simulate.c" "${sources[@]}" "$here/core/status.c" -o "$work/simulate" -lm

# simulate NODES GBIT check|sum|mpi BELOW BUCKETS: prints seconds.
simulate() {
  local count=$1 rate bandwidth=1e13 cost knee
  rate=$(awk -v g="$2" -v e="$each" 'BEGIN { printf "%.6g", g * 1e9 / 8 / e }')
  knee=$(awk -v r="$rate" 'BEGIN { printf "%.0f", r * 5e-7 }')
  cost="0:5e-7:0;$knee:0:$(awk -v r="$rate" 'BEGIN { printf "%.6g", 1 / r }')"
  [ "${LINKS-serial}" = shared ] && cost=0:5e-7:0 bandwidth=$(awk -v r="$rate" -v e="$each" 'BEGIN { printf "%.6g", r * e }')
  cat > "$work/platform.xml" << EOC
<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1"><cluster id="c" prefix="n" suffix="" radical="0-$((count - 1))" speed="1Gf" bw="${bandwidth}Bps" lat="5e-7s" sharing_policy="SPLITDUPLEX"/></platform>
EOC
  for ((i = 0; i < count * each; i++)); do echo "n$((i / each))"; done > "$work/hosts"
  timeout "${TIMEOUT-600}" smpirun -np "$((count * each))" -platform "$work/platform.xml" -hostfile "$work/hosts" \
    --cfg=network/model:CM02 --cfg=network/latency-factor:1 --cfg=network/bandwidth-factor:1 --cfg=network/TCP-gamma:0 \
    --cfg=smpi/simulate-computation:no --cfg=smpi/coll-selector:ompi --cfg=smpi/test:0 --cfg=smpi/iprobe:0 \
    --cfg=smpi/os:"$cost" --cfg=smpi/ois:"$cost" --cfg=smpi/send-is-detached-thresh:0 --cfg=smpi/async-small-thresh:0 \
    --cfg=smpi/privatization:no --cfg=contexts/stack-size:256 --log=root.thres:critical \
    "$work/simulate" "$3" "$each" "$4" "$5" 2> "$work/log" | grep -E '^[0-9.]+$' || echo -
}

declare -A below=([no_halves]=1 [halves]=1000000000000 [default]=0)
for ranks in 2 4 8 16; do
  count=$((ranks / each))
  [ $count -ge 1 ] || continue
  for way in no_halves halves; do
    [ "$(simulate $count 100 check ${below[$way]} 80000,4000)" != - ] ||
      { echo "other sums than along the tree on $ranks ranks:" >&2; cat "$work/log" >&2; exit 1; }
  done
done
echo "nodes,gbit,bytes,bound,${ways// /,}"
bytes=$(echo "$buckets" | tr ',' '\n' | awk '{ sum += $1 } END { printf "%d", sum }')
milli() { awk -v t="$1" 'BEGIN { if (t == "-") print t; else printf "%.4f\n", 1e3 * t }'; }
for gbit in ${gbits//,/ }; do
  for count in ${nodes//,/ }; do
    row=$count,$gbit,$bytes,$(awk -v p="$count" -v b="$bytes" -v g="$gbit" 'BEGIN { printf "%.4f", 2e3 * (p - 1) / p * b * 8 / g / 1e9 }')
    for way in $ways; do
      if [ "$way" = mpi ]; then time=$(simulate "$count" "$gbit" mpi 0 "$buckets"); else time=$(simulate "$count" "$gbit" sum "${below[$way]:?}" "$buckets"); fi
      row=$row,$(milli "$time")
    done
    echo "$row"
  done
done
