#!/bin/bash
# signal.sh SIGNAL containerd|kubelet : signals exactly the process that start.sh started; exit code 3 when it does not run.
# Signal 0 only looks. After KILL and TERM the process is gone when this ends (exit code 4: not within a minute).
set -euo pipefail
read -r pid start < "/run/bed-$2.pid" || exit 3
read -r _ rest 2> /dev/null < "/proc/$pid/stat" || exit 3
fields=(${rest##*) })
[ "${fields[0]}" != Z ] && [ "${fields[19]}" = "$start" ] || exit 3
kill "-$1" "$pid"
case "$1" in KILL | TERM) ;; *) exit 0 ;; esac
for ((look = 0; look < 600; look++)); do
  read -r _ rest 2> /dev/null < "/proc/$pid/stat" || exit 0
  fields=(${rest##*) })
  if [ "${fields[0]}" = Z ] || [ "${fields[19]}" != "$start" ]; then exit 0; fi
  sleep 0.1
done
echo "process $pid does not end" >&2
exit 4
