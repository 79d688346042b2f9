#!/usr/bin/env bash
# usage: tests/lab/alone.sh COMMAND...
# Runs COMMAND with processes, networks, mounts and a host name of its own: what it starts ends with it, and no name or
# port of it meets those of another run. As root, or where users may make namespaces. Status 77 where neither.
set -eu
name=(unshare --net --mount --uts --pid --fork --kill-child=KILL)
[ "$(id -u)" = 0 ] || name+=(--user --map-root-user)
for tool in unshare ip tc; do
  command -v $tool > /dev/null || { echo "skipped: $tool is missing (packages-lab.txt)"; exit 77; }
done
timeout 10 "${name[@]}" bash -c 'mount -t tmpfs lab /run && ip link add lab0 type bridge' > /dev/null 2>&1 || {
  echo "skipped: no rights to make network namespaces here"
  exit 77
}
# What MPI keeps by the name of the host and of the job (in TMPDIR and in /dev/shm) is the lab's own, too: hosts of two labs
# have the same names, and a job that is killed leaves it behind.
exec "${name[@]}" bash -c 'mount -t tmpfs lab /run && mount -t tmpfs lab /dev/shm && mount -t proc proc /proc &&
  mkdir -m 1777 /run/tmp && export TMPDIR=/run/tmp && hostname h0 && ip link set lo up && "$@"' alone "$@"
