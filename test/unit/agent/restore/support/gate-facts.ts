import type { Core, Credentials } from '../../../../../agent/criu-images/core.ts';
import type {
  ContainerFacts,
  GateFacts,
  ImageFacts,
  Privileges,
} from '../../../../../agent/restore/gates/facts.ts';

/** CHOWN, KILL, NET_BIND_SERVICE, NET_RAW. */
export const someCapabilities = 0x2421n;

/** Of an ordinary root process of a container. */
export const rootCredentials: Credentials = {
  ...{ uid: 0, gid: 0, effectiveUID: 0, effectiveGID: 0, savedUID: 0, savedGID: 0 },
  ...{ fileSystemUID: 0, fileSystemGID: 0, secureBits: 0, groups: [] },
  capabilities: {
    ...{ inheritable: 0n, ambient: 0n, permitted: someCapabilities },
    ...{ effective: someCapabilities, bounding: someCapabilities },
  },
  securityProfile: undefined,
  noNewPrivileges: false,
};

/** The first thread of a process, or with `task: undefined` another one. */
export const coreOf = (change: Partial<Core>): Core => ({
  task: { state: 'alive', command: 'server', exitCode: 0 },
  credentials: rootCredentials,
  ...{ threadName: 'server', filesID: 2, seccompMode: 0, seccompFilter: undefined },
  schedulingPolicy: 0,
  ...change,
});

const images: ImageFacts = {
  unknownFiles: [],
  threads: [{ name: 'process 1 (server)', core: coreOf({}) }],
  outside: { mount: 6, pid: 1, user: 7 },
  namespaces: [{ name: 'process 1', mount: 13, pid: 9, user: 7 }],
  mountTables: [
    [
      {
        mountPoint: '/',
        fileSystem: 17,
        of: 'a',
        root: '/',
        externalAs: undefined,
        readOnly: false,
      },
      {
        mountPoint: '/proc',
        fileSystem: 1,
        of: 'a',
        root: '/',
        externalAs: undefined,
        readOnly: false,
      },
      {
        mountPoint: '/dev',
        fileSystem: 5,
        of: 'a',
        root: '/',
        externalAs: '/dev',
        readOnly: false,
      },
      {
        mountPoint: '/proc/sys',
        fileSystem: 1,
        of: 'a',
        root: '/sys',
        externalAs: '/proc/sys',
        readOnly: true,
      },
    ],
  ],
  networks: ['extNetNs'],
  networkLock: 2,
  descriptors: new Set([1, 2]),
};

const privileges: Privileges = {
  ...{ uids: [0, 0, 0, 0], gids: [0, 0, 0, 0], groups: [] },
  ...{ permitted: someCapabilities, bounding: someCapabilities },
  ...{ noNewPrivileges: false, seccompMode: 0, securityProfile: undefined },
  ...{ ownUserNamespace: false, mustNotBeRoot: false },
};

const container: ContainerFacts = {
  name: 'main',
  capturedImageID: 'sha256:aa',
  imageID: 'sha256:aa',
  residentBytes: 100 * 2 ** 20,
  memoryLimitBytes: 128 * 2 ** 20,
  externalMounts: ['/dev', '/proc/sys'],
  mounts: {
    points: new Set(['/', '/proc', '/dev', '/proc/sys']),
    readOnly: new Set(['/proc/sys']),
  },
  ...{ privileges, images },
};

/** What may differ from a snapshot that fits. */
export type Change = Omit<Partial<ContainerFacts>, 'images' | 'privileges'> & {
  readonly images?: Partial<ImageFacts>;
  readonly privileges?: Partial<Privileges>;
  readonly node?: Partial<Omit<GateFacts, 'containers'>>;
};

/** A snapshot and a placeholder that fit, but for the change. */
export function factsWith(change: Change): GateFacts {
  const side = { architecture: 'amd64', kernelVersion: '6.1.50', cpu: 'model 1' };
  const { node, images: imageChange, privileges: privilegeChange, ...rest } = change;
  return {
    captured: side,
    node: side,
    cpuProblem: undefined,
    ...node,
    containers: [
      {
        ...container,
        ...rest,
        images: { ...images, ...imageChange },
        privileges: { ...privileges, ...privilegeChange },
      },
    ],
  };
}

/** The only thread, with other credentials or another core. */
export const threadWith = (
  credentials: Partial<Credentials>,
  core: Partial<Core> = {},
): Pick<ImageFacts, 'threads'> => ({
  threads: [
    {
      name: 'process 1 (server)',
      core: coreOf({ credentials: { ...rootCredentials, ...credentials }, ...core }),
    },
  ],
});

/** A mount more. */
export const mountWith = (
  change: Partial<ImageFacts['mountTables'][number][number]>,
): Pick<ImageFacts, 'mountTables'> => ({
  mountTables: images.mountTables.map((table) => [
    ...table,
    {
      mountPoint: '/x',
      fileSystem: 5,
      of: 'a',
      root: '/',
      externalAs: undefined,
      readOnly: false,
      ...change,
    },
  ]),
});

/** A second mount namespace, with one mount of the first as it is there or changed. */
export const nestedMount = (
  mountPoint: string,
  change: Partial<ImageFacts['mountTables'][number][number]>,
): Pick<ImageFacts, 'mountTables'> => ({
  mountTables: [
    ...images.mountTables,
    ...images.mountTables.map((table) =>
      table.map((mount) =>
        mount.mountPoint === mountPoint
          ? { ...mount, externalAs: undefined, ...change }
          : { ...mount, externalAs: undefined },
      ),
    ),
  ],
});

/** The mounts without one. */
export const mountsWithout = (path: string): Pick<ImageFacts, 'mountTables'> => ({
  mountTables: images.mountTables.map((table) =>
    table.filter(({ mountPoint }) => mountPoint !== path),
  ),
});
