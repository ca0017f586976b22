/** A placeholder that is refused: from which snapshot (by default of the case's own name), made how, and what it says. */
export type RefusalCase = {
  readonly name: string;
  /** What is wrong, as a sentence goes on after "is refused:". */
  readonly what: string;
  readonly snapshot?: string;
  readonly container?: Readonly<Record<string, unknown>>;
  readonly withoutVolume?: true;
  readonly says: readonly RegExp[];
};

/** All at once: each pod says what is in its way, and stays as it is. */
export const refusalCases: readonly RefusalCase[] = [
  {
    name: 'foreign',
    what: 'another architecture, an older kernel, another image, all at once',
    says: [
      /this node is \w+, the snapshot is of sparc64/,
      /kernel of this node is \S+, older than that of the snapshot, 99\.1\.0/,
      /container main: its image is sha256:\w+, that of the snapshot is sha256:0000/,
    ],
  },
  {
    name: 'small',
    what: 'a memory limit below what was resident',
    snapshot: 'good',
    container: { resources: { limits: { memory: '24Mi' } } },
    says: [/its memory limit is 24\.0 MiB, the snapshot has \S+ MiB resident/],
  },
  {
    name: 'bare',
    what: 'a mount that the pod has not',
    snapshot: 'good',
    withoutVolume: true,
    says: [/the snapshot had mounts that the pod has not: \/data/],
  },
  {
    name: 'strict',
    what: 'a process with more rights than the pod has',
    snapshot: 'good',
    container: {
      securityContext: {
        ...{ runAsNonRoot: true, runAsUser: 1000, allowPrivilegeEscalation: false },
        capabilities: { drop: ['ALL'] },
      },
    },
    says: [
      /process 1 \(counter\) has .*CHOWN.* in the snapshot, the pod's container has not/,
      /process 1 \(counter\) may gain privileges in the snapshot/,
      /process 1 \(counter\) is root in the snapshot, the pod says runAsNonRoot/,
    ],
  },
  {
    name: 'hostile',
    what: 'images that would mount a disk, and run a program of the container',
    says: [/the mount at \/mnt is made by CRIU itself/, /none of ours has: route-9\.img/],
  },
  {
    name: 'renamed',
    what: 'a container name that the snapshot does not hold',
    snapshot: 'good',
    says: [/there is no container main, which the snapshot holds/],
  },
  { name: 'gone', what: 'an artifact that is gone', says: [/the store has no snapshot/] },
  {
    name: 'lower/good',
    what: 'a snapshot of another namespace',
    snapshot: 'other/good',
    says: [/"other\/good" is no name of a PodSnapshot; one of namespace/],
  },
];
