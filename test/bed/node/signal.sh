#!/bin/bash
# signal.sh SIGNAL containerd|kubelet : signals exactly the process that start.sh started; exit code 3 when it does not run.
# Signal 0 only looks.
set -euo pipefail
read -r pid start < "/run/bed-$2.pid" || exit 3
read -r _ rest 2> /dev/null < "/proc/$pid/stat" || exit 3
fields=(${rest##*) })
[ "${fields[0]}" != Z ] && [ "${fields[19]}" = "$start" ] || exit 3
kill "-$1" "$pid"
