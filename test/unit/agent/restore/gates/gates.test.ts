import { describe, expect, it } from 'vitest';
import type { GateFacts } from '../../../../../agent/restore/gates/facts.ts';
import {
  findRefusals,
  type GateName,
  gateNames,
} from '../../../../../agent/restore/gates/gates.ts';
import {
  type Change,
  coreOf,
  factsWith,
  mountsWithout,
  mountWith,
  nestedMount,
  threadWith,
} from '../support/gate-facts.ts';

const node = (change: Change['node']): Change => ({ ...(change && { node: change }) });
const captured = { architecture: 'amd64', kernelVersion: '6.1.50', cpu: 'model 1' };
const everything = (1n << 41n) - 1n;
const user = { uid: 1000, effectiveUID: 1000, savedUID: 1000, fileSystemUID: 1000 };
const group = { gid: 1000, effectiveGID: 1000, savedGID: 1000, fileSystemGID: 1000 };
const plainUser = {
  ...{ uids: [1000, 1000, 1000, 1000], gids: [1000, 1000, 1000, 1000], groups: [1000] },
  permitted: 0n,
};

/** What each gate refuses, and what it says; both sides are named wherever there are two. */
const refused = {
  architecture: [
    [node({ captured: { ...captured, architecture: 'arm64' } }), /amd64, the snapshot is of arm64/],
  ],
  kernel: [
    [
      node({ captured: { ...captured, kernelVersion: '6.1.51' } }),
      /kernel of this node is 6\.1\.50, older than that of the snapshot, 6\.1\.51/,
    ],
    [node({ captured: { ...captured, kernelVersion: '7.0.0-1-arm' } }), /older/],
  ],
  cpu: [
    [
      node({ captured: { ...captured, cpu: 'model 2' }, cpuProblem: 'no avx512' }),
      /this node \(model 1\) lacks what that of the snapshot \(model 2\) has: no avx512/,
    ],
  ],
  image: [
    [{ imageID: 'sha256:bb' }, /container main: its image is sha256:bb, .* is sha256:aa/],
    [
      { imageID: 'a/b@sha256:bb', capturedImageID: 'c/b@sha256:aa' },
      /its image is sha256:bb, that of the snapshot is sha256:aa/,
    ],
  ],
  memory: [
    [{ memoryLimitBytes: 64 * 2 ** 20 }, /limit is 64\.0 MiB, the snapshot has 100 MiB resident/],
  ],
  mounts: [
    [
      { externalMounts: ['/dev', '/data', '/etc/hosts'] },
      /that the pod has not: \/data, \/etc\/hosts/,
    ],
  ],
  credentials: [
    [
      {
        images: { threads: [{ name: 'process 1 (x)', core: coreOf({ credentials: undefined }) }] },
      },
      /process 1 \(x\) has no credentials/,
    ],
  ],
  capabilities: (['inheritable', 'permitted', 'effective', 'bounding', 'ambient'] as const).map(
    (set) => [
      {
        images: threadWith({
          capabilities: {
            ...{ inheritable: 0n, permitted: 0n, effective: 0n, bounding: 0n, ambient: 0n },
            [set]: 1n << 21n,
          },
        }),
      },
      /process 1 \(server\) has SYS_ADMIN in the snapshot, the pod's container has not/,
    ],
  ),
  noNewPrivileges: [
    [{ privileges: { noNewPrivileges: true } }, /may gain privileges .*allowPrivilegeEscalation/],
  ],
  seccomp: [[{ privileges: { seccompMode: 2 } }, /no seccomp filter in the snapshot/]],
  root: [
    [{ privileges: { mustNotBeRoot: true } }, /is root in the snapshot, the pod says runAsNonRoot/],
    [
      {
        privileges: { mustNotBeRoot: true },
        images: threadWith({ ...user, savedUID: 0 }),
      },
      /is root/,
    ],
  ],
  identity: [
    [
      {
        privileges: { ...plainUser, noNewPrivileges: true },
        images: threadWith({ ...user, ...group, groups: [27], noNewPrivileges: true }),
      },
      /user 1000, group 1000, 27 in the snapshot; the pod's container is user 1000, group 1000, and/,
    ],
  ],
  securityProfile: [
    [
      { privileges: { securityProfile: 'tight' } },
      /profile unconfined in the snapshot, .* has tight/,
    ],
    [
      {
        privileges: { securityProfile: 'tight' },
        images: threadWith({ securityProfile: 'loose' }),
      },
      /profile loose in the snapshot/,
    ],
  ],
  scheduling: [[{ images: threadWith({}, { schedulingPolicy: 1 }) }, /in real time/]],
  userNamespace: [[{ privileges: { ownUserNamespace: true } }, /hostUsers: false/]],
  imageFiles: [[{ images: { unknownFiles: ['route-9.img'] } }, /none of ours has: route-9\.img/]],
  namespaces: [
    [
      { images: { namespaces: [{ name: 'process 1', mount: 6, pid: 9, user: 7 }] } },
      /process 1 has the mount namespace of CRIU/,
    ],
    [
      { images: { namespaces: [{ name: 'process 1', mount: 13, pid: 1, user: 7 }] } },
      /process 1 has the PID namespace of CRIU/,
    ],
    [
      { images: { namespaces: [{ name: 'process 9', mount: 13, pid: 9, user: 8 }] } },
      /process 9 has a user namespace of its own/,
    ],
  ],
  mountTable: [
    [
      { images: mountWith({ mountPoint: '/mnt', fileSystem: 16 }) },
      /at \/mnt is made by CRIU itself/,
    ],
    [
      { images: mountWith({ mountPoint: '/mnt', externalAs: '/mnt' }) },
      /at \/mnt is taken from outside/,
    ],
    [
      { images: mountWith({ mountPoint: '/mnt', externalAs: '/dev' }) },
      /at \/mnt is taken from outside/,
    ],
    [{ images: mountWith({ mountPoint: '/proc', fileSystem: 16 }) }, /at \/proc is made by CRIU/],
    [
      { images: mountWith({ mountPoint: '/proc', fileSystem: 1, root: '/1' }) },
      /at \/proc is made/,
    ],
    [{ images: mountWith({ mountPoint: '/', fileSystem: 16 }) }, /has not one root/],
    ...[
      nestedMount('/', { fileSystem: 16 }),
      nestedMount('/dev', { of: 'b' }),
      nestedMount('/proc/sys', { mountPoint: '/x' }),
      nestedMount('/proc/sys', { readOnly: false }),
    ].map((images) => [{ images }, /in another mount namespace is none of the container/] as const),
  ],
  readOnlyMounts: [
    [
      { images: mountWith({ mountPoint: '/proc/sys', externalAs: '/proc/sys' }) },
      /at \/proc\/sys is writable in the snapshot and read-only in the pod/,
    ],
  ],
  hiddenPaths: [
    [{ images: mountsWithout('/proc/sys') }, /the pod hides or protects \/proc\/sys, the snapshot/],
  ],
  networks: [
    [{ images: { networks: [undefined] } }, /network namespace/],
    [{ images: { networks: ['extNetNs', 'other'] } }, /network namespace/],
  ],
  networkLock: [
    [{ images: { networkLock: 0 } }, /iptables/],
    [{ images: { networkLock: undefined } }, /iptables/],
  ],
  descriptors: [
    [{ images: { descriptors: new Set([15]) } }, /a tun device open, .* has not NET_ADMIN/],
    [{ images: { descriptors: new Set([16]) } }, /a plugin of CRIU/],
    [
      { images: { descriptors: new Set(['raw' as const]) }, privileges: { bounding: 0x21n } },
      /a raw socket open, .* has not NET_RAW/,
    ],
  ],
} as const satisfies Record<GateName, readonly (readonly [Change, RegExp])[]>;

const rows = gateNames.flatMap((gate) =>
  refused[gate].map(([change, says], index) => ({ gate, change, says, number: index + 1 })),
);

describe('a gate of a restore', () => {
  it('lets through what fits', () => {
    expect(findRefusals(factsWith({}))).toEqual([]);
  });

  it.each(rows)('refuses: $gate, $number', ({ gate, change, says }) => {
    const found = findRefusals(factsWith(change)).filter((one) => one.gate === gate);
    expect(found.map(({ message }) => message)).toEqual([expect.stringMatching(says)]);
  });

  it('never refuses what is not known on one side', () => {
    const nothing: GateFacts = {
      ...{ captured: {}, node: {}, cpuProblem: undefined },
      containers: factsWith({}).containers.map((container) => ({
        ...container,
        ...{ imageID: undefined, memoryLimitBytes: undefined, mounts: undefined },
        ...{ privileges: undefined, images: undefined },
      })),
    };
    expect(findRefusals(nothing)).toEqual([]);
    expect(findRefusals({ ...nothing, captured: { architecture: 'arm64' } })).toEqual([]);
    expect(findRefusals({ ...nothing, node: { kernelVersion: '1.0.0' } })).toEqual([]);
    const odd = { captured: { kernelVersion: 'unknown' }, node: { kernelVersion: '6.1.0' } };
    expect(findRefusals({ ...nothing, ...odd })).toEqual([]);
    expect(findRefusals(factsWith({ capturedImageID: '' }))).toEqual([]);
    // The digest of a registry's manifest is not that of a config.
    expect(findRefusals(factsWith({ imageID: 'a/b@sha256:bb' }))).toEqual([]);
  });

  it('names everything that is in the way at once, and of much of one kind the first few', () => {
    const facts = factsWith({
      ...{ imageID: 'sha256:bb', memoryLimitBytes: 1 },
      node: { captured: { ...captured, architecture: 'arm64' } },
      privileges: { seccompMode: 2 },
      images: {
        threads: [1, 2, 3, 4, 5].map((number) => ({
          name: `process ${number} (x)`,
          core: coreOf({}),
        })),
      },
    });
    const found = findRefusals(facts);
    expect(new Set(found.map(({ gate }) => gate))).toEqual(
      new Set(['architecture', 'image', 'memory', 'seccomp']),
    );
    const seccomp = found.filter(({ gate }) => gate === 'seccomp');
    expect(seccomp).toHaveLength(3);
    expect(seccomp[2]?.message).toMatch(/\(and 2 more\)$/);
  });

  it('lets a process give up what its container has', () => {
    const less = {
      ...user,
      ...group,
      noNewPrivileges: true,
      capabilities: { inheritable: 0n, permitted: 0n, effective: 0n, bounding: 0n, ambient: 0n },
    };
    const facts = factsWith({
      images: threadWith(less, { seccompMode: 2 }),
      privileges: { bounding: everything, permitted: everything },
    });
    expect(findRefusals(facts)).toEqual([]);
  });

  it('lets a container without privilege escalation have what its init has, and no capability more', () => {
    const privileges = { ...plainUser, noNewPrivileges: true };
    const capabilities = {
      ...{ inheritable: 0n, permitted: 0n, effective: 0n, ambient: 0n },
      bounding: 0x2421n,
    };
    const same = { ...user, ...group, groups: [1000], noNewPrivileges: true, capabilities };
    expect(findRefusals(factsWith({ privileges, images: threadWith(same) }))).toEqual([]);
    const more = { ...same, capabilities: { ...capabilities, effective: 1n } };
    const found = findRefusals(factsWith({ privileges, images: threadWith(more) }));
    expect(found.map(({ gate }) => gate)).toEqual(['capabilities']);
  });

  it('lets another mount namespace have copies of the mounts', () => {
    expect(findRefusals(factsWith({ images: nestedMount('/', {}) }))).toEqual([]);
  });

  it('lets a zombie have no credentials', () => {
    const task = { state: 'zombie', command: 'x', exitCode: 0 } as const;
    const threads = [
      ...threadWith({}).threads,
      { name: 'process 2 (x)', core: coreOf({ credentials: undefined, task }) },
    ];
    expect(findRefusals(factsWith({ images: { threads } }))).toEqual([]);
  });
});
