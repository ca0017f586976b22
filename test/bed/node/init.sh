#!/bin/bash
# PID 1 of a node: mounts what the root still lacks, starts containerd, then reaps what is left to it.
# Environment: BED_NODE_NAME, BED_HOST_PID, BED_CGROUP_HIERARCHIES ("FOLDER=OPTIONS ..." for v1, empty for v2).
set -euo pipefail
mount -t sysfs sysfs /sys
if [ -n "$BED_CGROUP_HIERARCHIES" ]; then
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  for hierarchy in $BED_CGROUP_HIERARCHIES; do
    folder=/sys/fs/cgroup/${hierarchy%%=*}
    mkdir -p "$folder"
    mount -t cgroup -o "${hierarchy#*=}" cgroup "$folder"
  done
else
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/netns
mount -t tmpfs -o mode=1777 tmpfs /tmp
hostname "$BED_NODE_NAME"
# The kubelet would set these for the whole machine. It leaves a value alone that is right already, so it is shown files that are.
mkdir -p /run/bed-sysctl
show() {
  [ -e "/proc/sys/$1" ] || return 0
  echo "$2" > "/run/bed-sysctl/${1//\//.}"
  mount --bind "/run/bed-sysctl/${1//\//.}" "/proc/sys/$1"
}
show vm/overcommit_memory 1
show vm/panic_on_oom 0
show kernel/panic 10
show kernel/panic_on_oops 1
show kernel/keys/root_maxkeys 1000000
show kernel/keys/root_maxbytes 25000000
/bed/start.sh containerd
echo "$BED_HOST_PID" > /bed/pid.new
mv /bed/pid.new /bed/pid
# bash reaps every orphan of the PID namespace while it waits for a child of its own.
while :; do
  sleep infinity &
  wait "$!" || true
done
