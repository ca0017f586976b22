#!/bin/bash
# First program of a node, in its fresh mount, UTS, IPC, PID, cgroup and network namespaces.
# Makes the node's root and enters it. Nothing here is mounted in the host: with the last process of the node all of it is gone.
# Environment: BED_NODE_DIRECTORY, BED_NODE_ROOT (read-only lower layer), BED_KUBELET, BED_STORE, BED_LOG.
set -euo pipefail
# /proc is still the host's, so the pid in it is the one the host knows.
read -r host_pid _ < /proc/self/stat
root=$BED_NODE_DIRECTORY/root
mount -t overlay overlay -o "lowerdir=$BED_NODE_ROOT,upperdir=$BED_NODE_DIRECTORY/upper,workdir=$BED_NODE_DIRECTORY/work" "$root"
mkdir -p "$root"/{bed,.old,usr/local/bin,var/lib/{containerd,kubelet,cryopod,cryopod-store},var/log}
mount --bind "$BED_NODE_DIRECTORY/bed" "$root/bed"
# Plain file systems: overlayfs does not stack on the overlay that is the node's root, and pod volumes must not lie in it.
mount --bind "$BED_NODE_DIRECTORY/containerd" "$root/var/lib/containerd"
mount --bind "$BED_NODE_DIRECTORY/kubelet" "$root/var/lib/kubelet"
mount --bind "$BED_NODE_DIRECTORY/cryopod" "$root/var/lib/cryopod"
mount --bind "$BED_STORE" "$root/var/lib/cryopod-store"
mount --bind "$BED_LOG" "$root/var/log"
touch "$root/usr/local/bin/kubelet"
mount --bind "$BED_KUBELET" "$root/usr/local/bin/kubelet"
for file in hosts hostname resolv.conf; do
  rm -f "$root/etc/$file"
  cp "$BED_NODE_DIRECTORY/bed/$file" "$root/etc/$file"
done
mount -t proc proc "$root/proc" # before pivot_root: umount needs it
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty kmsg fuse kvm userfaultfd net/tun; do
  [ -e "/dev/$device" ] || continue
  mkdir -p "$(dirname "$root/dev/$device")"
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir -p "$root"/dev/{pts,shm,mqueue}
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
cd "$root"
pivot_root . .old
umount -l /.old
mount --make-rshared / # volumes with mountPropagation need a shared root
export BED_HOST_PID=$host_pid
exec /bin/bash /bed/init.sh
