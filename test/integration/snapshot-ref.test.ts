import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DefinitionsBed, openDefinitionsBed } from './definitions-bed.ts';

let server: DefinitionsBed;
beforeAll(async () => {
  server = await openDefinitionsBed('snapshot-ref');
});
afterAll(() => server.close());

const tied = ['podsnapshotcontent.nvidia.com', 'tied'];
const refer = (snapshotRef: object): Promise<object> =>
  server.patch(tied, { spec: { snapshotRef } });
const released = (status: string, reason: string): Promise<object> => {
  const lastTransitionTime = '2026-01-01T00:00:00Z';
  const condition = { type: 'Released', status, reason, message: '', lastTransitionTime };
  return server.patch([...tied, '--subresource=status'], { status: { conditions: [condition] } });
};

// Without a controller: it would release by itself a content whose snapshot does not exist.
describe('the snapshotRef of a content', () => {
  it('gets its UID once, and names another snapshot only while the content is released', async () => {
    await server.create({
      apiVersion: 'nvidia.com/v1alpha1',
      kind: 'PodSnapshotContent',
      metadata: { name: 'tied' },
      spec: {
        snapshotRef: { namespace: 'default', name: 'nobody' },
        source: { artifact: { store: 'dir', digest: `sha256:${'c'.repeat(64)}` } },
      },
    });
    const refused = 'spec.snapshotRef is immutable';
    await expect(refer({ name: 'other' })).rejects.toThrow(refused);
    await refer({ uid: 'first' });
    await expect(refer({ uid: 'second' })).rejects.toThrow(refused);
    await expect(refer({ uid: null })).rejects.toThrow(refused);
    await released('True', 'Released');
    await expect(refer({ namespace: 'elsewhere' })).rejects.toThrow(refused);
    await refer({ name: 'other', uid: null });
    await released('False', 'Bound');
    await refer({ uid: 'second' });
    await expect(refer({ name: 'third' })).rejects.toThrow(refused);
  });
});
