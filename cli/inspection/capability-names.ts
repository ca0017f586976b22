/** include/uapi/linux/capability.h, in its order, without `CAP_`. */
const names =
  'chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore'
    .toUpperCase()
    .split(' ');

/** The capabilities of a set as Kubernetes names them; one that has no name yet is its number. */
export function capabilityNames(set: bigint): readonly string[] {
  const bits = Array.from({ length: 64 }, (_, bit) => bit);
  return bits.flatMap((bit) => ((set >> BigInt(bit)) & 1n ? [names[bit] ?? String(bit)] : []));
}

/** For a table: what is nearly all is told by what is missing. */
export function capabilitiesText(set: readonly string[]): string {
  if (set.length === 0) return 'none';
  const missing = names.filter((name) => !set.includes(name));
  if (missing.length === 0) return 'all';
  return missing.length < 10 ? `all but ${missing.join(',')}` : set.join(',');
}
