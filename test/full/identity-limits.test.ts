import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { Bed } from '../bed/bed.ts';
import { makeClaim, removeClaim } from '../e2e/claim.ts';
import { attachSharedBed, createNamespace, deleteNamespace } from '../e2e/cluster.ts';
import { captured, type Place, restored, saidIn, waitForWord } from '../e2e/self-checking.ts';
import { sourcePod } from '../e2e/workloads.ts';

const image = 'cryopod.dev/sample-python:dev';

/** Says OK for ever, after `before` and with `each` in every round. */
const saying = (before: string, each: string): readonly string[] => [
  'python3',
  '-c',
  `import os, socket, time\n${before}\ncount = 0\nwhile True:\n    count += 1\n    ${each}\n    print(f'OK {count} token=abc', flush=True)\n    time.sleep(0.1)`,
];

/** What docs/identity.md says cannot come back. */
describe.concurrent('a restore fails and says why', () => {
  let bed: Bed;
  let namespace: string;
  const place = (): Place => ({ bed, namespace, source: 'node-a', target: 'node-a' });
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'identity-limits');
    await makeClaim(bed, namespace, 'node-a');
  });
  afterAll(async () => {
    await removeClaim(bed, namespace);
    await deleteNamespace(bed, namespace);
  });

  it('when a file of a claim that the source had open has another size by now', async () => {
    const command = saying(`file = open('/claim/log', 'wb', 0)`, `file.write(b'x')`);
    const options = { name: 'claim', namespace, image, nodeName: 'node-a', command };
    const { spec, ...rest } = parse(sourcePod({ ...options, emptyDirAt: '/claim' }));
    const claim = { name: 'own', persistentVolumeClaim: { claimName: 'claim' } };
    const volumes = [...spec.volumes.filter(({ name }: { name: string }) => name !== 'own'), claim];
    const source = stringify({ ...rest, spec: { ...spec, volumes } });
    await bed.apply(source);
    await waitForWord(place(), 'claim', 2);
    await captured(place(), 'claim');
    const since = saidIn(await bed.kubectl(['logs', 'claim', '-n', namespace])).at(-1)?.count ?? 0;
    await waitForWord(place(), 'claim', since);
    await expect(restored(place(), 'claim', source)).rejects.toThrow(
      /RestoreFailed: .*claim\/log.* size/,
    );
  });

  it('when the source listened on the address of its pod alone', async () => {
    const listen = `listener = socket.create_server((socket.gethostbyname(socket.gethostname()), 7000))`;
    const command = saying(listen, 'pass');
    const source = sourcePod({ name: 'listener', namespace, image, nodeName: 'node-a', command });
    await bed.apply(source);
    await waitForWord(place(), 'listener', 2);
    await captured(place(), 'listener');
    await expect(restored(place(), 'listener', source)).rejects.toThrow(/RestoreFailed: .*bind/);
  });
});
