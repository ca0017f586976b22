#!/bin/bash
# start.sh containerd|kubelet : starts the daemon in a session of its own; /run/bed-DAEMON.pid holds its pid and start time.
set -euo pipefail
daemon=$1
case $daemon in
  containerd) command=(containerd --config /bed/containerd.toml) ;;
  kubelet) command=(/usr/local/bin/kubelet --config=/bed/kubelet.json --kubeconfig=/bed/kubeconfig
    "--hostname-override=$(hostname)" "--node-ip=$(cat /bed/address)" --v=2) ;;
  *) echo "start.sh: no daemon '$daemon'" >&2; exit 64 ;;
esac
# A daemon must not inherit the pipes of whoever starts it, or that one waits for it for ever.
setsid bash -c '
  read -r pid rest < /proc/self/stat
  fields=(${rest##*) })
  echo "$pid ${fields[19]}" > "/run/bed-$0.pid"
  exec "$@"
' "$daemon" "${command[@]}" < /dev/null >> "/var/log/$daemon.log" 2>&1 &
