#!/usr/bin/env bash
# usage, after hosts-up.sh: slurm-up.sh DIR NODES CPUS [LINE-OF-slurm.conf...]
# A SLURM cluster of its own: its controller here, a slurmd on each of the hosts h1..hNODES with CPUS cpus, state and
# logs under DIR (an empty folder). Then `export SLURM_CONF=DIR/slurm.conf`. It ends with tests/lab/alone.sh.
# Status 77 if a package is missing.
set -eu
dir=$(cd "$1" && pwd) nodes=$2 cpus=$3
shift 3
lab=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
for tool in slurmctld slurmd munged mungekey runuser; do
  command -v $tool > /dev/null || { echo "skipped: $tool is missing (packages-lab.txt)"; exit 77; }
done
if ! id munge > /dev/null 2>&1 || [ ! -w /etc ]; then echo "skipped: the daemons of SLURM need root here" && exit 77; fi

# munge, with a key of its own. /run is ours alone (alone.sh).
mkdir -p /run/munge /run/munge-lab "$dir/state" "$dir/log"
mungekey --create --keyfile=/run/munge-lab/key
chown -R munge: /run/munge /run/munge-lab
chmod 700 /run/munge-lab
runuser -u munge -- munged --force --key-file=/run/munge-lab/key --log-file=/run/munge-lab/log \
  --pid-file=/run/munge/pid --seed-file=/run/munge-lab/seed --socket=/run/munge/munge.socket.2 2> "$dir/log/munged" ||
  { echo "munged does not start: $(cat "$dir/log/munged")" && exit 1; }

cat > "$dir/slurm.conf" << EOF
ClusterName=lab
SlurmctldHost=h0(10.77.0.254)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
MpiDefault=none
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool-%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
JobRequeue=1
KillWait=5
TmpFS=$dir/tmp-%n
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
JobAcctGatherType=jobacct_gather/none
EOF
for line in "$@"; do echo "$line" >> "$dir/slurm.conf"; done
for i in $(seq "$nodes"); do echo "NodeName=h$i NodeAddr=10.77.0.$i CPUs=$cpus State=UNKNOWN" >> "$dir/slurm.conf"; done
echo "PartitionName=all Nodes=h[1-$nodes] Default=YES MaxTime=INFINITE State=UP" >> "$dir/slurm.conf"
export SLURM_CONF=$dir/slurm.conf
slurmctld -f "$SLURM_CONF"
for i in $(seq "$nodes"); do
  mkdir -p "$dir/spool-h$i" "$dir/tmp-h$i"
  "$lab/hosts-agent.sh" "h$i" "export PATH='$PATH' SLURM_CONF='$SLURM_CONF'; slurmd -N h$i -f $SLURM_CONF"
done
for _ in $(seq 100); do
  [ "$(sinfo -h -t idle -o %D 2> /dev/null)" = "$nodes" ] && exit 0
  sleep 0.2
done
echo "the SLURM cluster does not come up: $(sinfo 2>&1 | tail -3); $(tail -5 "$dir/log/slurmctld.log")"
exit 1
