#!/usr/bin/env bash
# usage: hosts-agent.sh HOST COMMAND...
# Stands in for ssh between the hosts of hosts-up.sh; HOST is 10.77.0.I or hI.
host=$1
shift
i=${host##*.}
i=${i#h}
exec nsenter --net="/run/netns/h$i" unshare --uts bash -c "hostname h$i; $*"
