#!/bin/bash
# A real Slurm cluster of this machine alone: slurmctld and two slurmd on loopback, as if they were two machines, everything in the
# folder $1, on the ports $2, $3 and $4. Wants root and Debian's slurm-wlm.
set -eu
folder=$1; host=$(hostname -s)
mkdir -p "$folder/state" "$folder/spool"
cat > "$folder/slurm.conf" <<CONF
ClusterName=loopback
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$2
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=1,bf_interval=1,sched_interval=1
MaxArraySize=4
KillWait=5
JobRequeue=1
ReturnToService=2
MpiDefault=none
NodeName=one NodeHostname=$host NodeAddr=127.0.0.1 Port=$3 CPUs=1 State=UNKNOWN
NodeName=two NodeHostname=$host NodeAddr=127.0.0.1 Port=$4 CPUs=1 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF="$folder/slurm.conf"
slurmctld
slurmd -N one
slurmd -N two
for _ in $(seq 100); do
  if sinfo --noheader --Node --format=%T 2>/dev/null | grep -c idle | grep -q 2; then exit 0; fi
  sleep 0.2
done
echo "slurmd did not become idle" >&2
tail -n 5 "$folder/slurmctld.log" "$folder"/slurmd-*.log >&2
exit 1
