/** Everything a restore's command line depends on. Paths as CRIU sees them inside the placeholder. */
export type RestoreArguments = {
  readonly imagesDirectory: string;
  readonly workDirectory: string;
  /** Mount points that were external to the dump, and are there in the placeholder. */
  readonly externalMounts: readonly string[];
  /** Descriptors that stand for what the dump knew by these names: the network namespace, the pipes of stdout and stderr. */
  readonly inherited: readonly { readonly descriptor: number; readonly name: string }[];
  readonly utsDescriptor: number;
  /** TCP connections that were saved. */
  readonly connections: 'Close' | 'Keep';
  /** Runs before the restored process does; images/enter/keep-hostname. */
  readonly actionScript: string;
};

const tcpOptions = { Close: '--tcp-close', Keep: '--tcp-established' } as const;

/** Names of what CRIU leaves in its work directory. */
export const restoreFiles = { log: 'restore.log', pid: 'pid' } as const;

/**
 * argv of `criu restore` without the program's name. `--restore-sibling`: the restored root becomes a child of who started CRIU, and with its end
 * of the placeholder's init. `--libdir`: without it CRIU would load plugins from a directory of the container; where the images are, there are none. `/proc` is CRIU's own mount, so that getpid() and /proc agree in the nested PID namespace.
 */
export function restoreArguments(request: RestoreArguments): readonly string[] {
  return [
    'restore',
    '--no-default-config',
    '--images-dir',
    request.imagesDirectory,
    '--work-dir',
    request.workDirectory,
    '--log-file',
    restoreFiles.log,
    '-v4',
    '--root',
    '/',
    '--restore-detached',
    '--restore-sibling',
    '--pidfile',
    restoreFiles.pid,
    '--libdir',
    request.imagesDirectory,
    ...request.externalMounts.flatMap((path) => ['--external', `mnt[${path}]:${path}`]),
    ...request.inherited.flatMap(({ descriptor, name }) => [
      '--inherit-fd',
      `fd[${descriptor}]:${name}`,
    ]),
    '--join-ns',
    `uts:/proc/self/fd/${request.utsDescriptor}`,
    '--action-script',
    request.actionScript,
    '--manage-cgroups=ignore',
    '--file-locks',
    '--ext-unix-sk',
    tcpOptions[request.connections],
    '--link-remap',
    '--force-irmap',
    '--evasive-devices',
  ];
}
