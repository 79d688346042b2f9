#!/usr/bin/env bash
# usage, inside tests/lab/alone.sh: hosts-up.sh N [tc qdisc arguments]
# N hosts h1..hN with the addresses 10.77.0.1.. on one bridge; this one is h0, 10.77.0.254. Every link is shaped by the
# tc arguments, such as: tbf rate 1gbit burst 64kb latency 50ms
set -eu
n=$1
shift
names=$(mktemp)
echo "127.0.0.1 localhost" > "$names"
echo "10.77.0.254 h0" >> "$names"
for i in $(seq "$n"); do echo "10.77.0.$i h$i" >> "$names"; done
mount --bind "$names" /etc/hosts
rm -f "$names"
ip link add lab type bridge
ip addr add 10.77.0.254/24 dev lab
ip link set lab up
for i in $(seq "$n"); do
  ip netns add "h$i"
  ip link add "v$i" type veth peer name eth0 netns "h$i"
  ip link set "v$i" master lab up
  ip -n "h$i" addr add "10.77.0.$i/24" dev eth0
  ip -n "h$i" link set eth0 up
  ip -n "h$i" link set lo up
  [ $# = 0 ] || ip netns exec "h$i" tc qdisc add dev eth0 root "$@"
done
