import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { captureLeaseName, contentName } from '../../core/api/names.ts';
import type { Bed } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  readContent,
  waitForEnd,
  waitForTick,
} from './cluster.ts';
import { snapshotOf, sourcePod } from './workloads.ts';

/** One line of the API server's audit log, as far as it counts. */
type AuditLine = {
  readonly verb: string;
  readonly stage: string;
  readonly requestReceivedTimestamp: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly resource?: string;
    readonly name?: string;
    readonly namespace?: string;
    readonly subresource?: string;
  };
  readonly responseStatus?: { readonly code?: number };
};

const writes = ['create', 'update', 'patch', 'delete'];

describe('the write budget of a snapshot', () => {
  let bed: Bed;
  let namespace: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'write-budget');
  });
  afterAll(async () => {
    await deleteNamespace(bed, namespace);
  });

  it('a quick capture takes at most 8 writes up to Ready and 10 in all, by the audit log', async () => {
    const pod = 'small';
    await bed.apply(
      sourcePod({
        name: pod,
        namespace,
        image: 'cryopod.dev/sample-counter:dev',
        environment: { MEMORY_MEBIBYTES: '16', KEEP_RUNNING: '1' },
      }),
    );
    await waitForTick(bed, namespace, pod);
    await bed.apply(snapshotOf({ name: pod, namespace, pod }));
    const snapshot = await waitForEnd(bed, namespace, pod, 60_000);
    const content = await readContent(bed, snapshot.metadata.uid);
    const lease = captureLeaseName(content?.metadata.uid ?? '');
    const isOurs = ({ objectRef, user }: AuditLine): boolean => {
      const { resource, name, namespace: place } = objectRef ?? {};
      if (resource === 'podsnapshots') return place === namespace && name === pod;
      if (resource === 'podsnapshotcontents') return name === contentName(snapshot.metadata.uid);
      if (resource === 'leases') return name === lease;
      return resource === 'pods' && place === namespace && user.username.includes('cryopod');
    };
    const counted = await bed.waitFor(
      'the lease to be released',
      async () => {
        const lines = (await readFile(bed.auditLogPath, 'utf8')).trimEnd().split('\n');
        const ours = lines
          .map((line): AuditLine => JSON.parse(line))
          .filter((line) => line.stage === 'ResponseComplete' && writes.includes(line.verb))
          .filter((line) => (line.responseStatus?.code ?? 500) < 300 && isOurs(line));
        const released = ours.findLastIndex((line) => line.objectRef?.resource === 'leases');
        return ours[released]?.verb === 'patch' ? ours : undefined;
      },
      30_000,
    );
    const said = counted.map(({ verb, objectRef, user }) =>
      [
        verb,
        objectRef?.resource,
        objectRef?.subresource ?? '',
        user.username.split(':').at(-1),
      ].join(' '),
    );
    console.log(`${counted.length} writes:\n${said.join('\n')}`);
    // Counted apart: what an order that lasts tells on the way, and renewals of its lease. Each is bounded by the time it took.
    const apart = {
      content: Math.max(0, count(said, contentStatus) - 1),
      snapshot: Math.max(0, count(said, snapshotStatus) - 2),
      renewals: Math.max(0, count(said, leasePatch) - 1),
    };
    const seconds = (time(counted.at(-1)) - time(counted[0])) / 1000;
    expect(apart.content, said.join('\n')).toBeLessThanOrEqual(Math.ceil(seconds / 2));
    expect(apart.snapshot, said.join('\n')).toBeLessThanOrEqual(Math.ceil(seconds / 2) + 1);
    expect(apart.renewals, said.join('\n')).toBeLessThanOrEqual(Math.ceil(seconds / 10));
    const ready = said.lastIndexOf(snapshotStatus) + 1;
    const all = apart.content + apart.snapshot + apart.renewals;
    expect(ready - apart.content - apart.snapshot, said.join('\n')).toBeLessThanOrEqual(8);
    expect(counted.length - all, said.join('\n')).toBeLessThanOrEqual(10);
  });
});

const contentStatus = 'patch podsnapshotcontents status cryopod-agent';
const snapshotStatus = 'patch podsnapshots status cryopod-controller';
const leasePatch = 'patch leases  cryopod-agent';
const count = (said: readonly string[], what: string): number =>
  said.filter((one) => one === what).length;
const time = (line: AuditLine | undefined): number =>
  Date.parse(line?.requestReceivedTimestamp ?? '');
