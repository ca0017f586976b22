import { describe, expect, it } from 'vitest';
import type { Intent, Journal } from '../../agent/journal/journal.ts';

/** An intent with everything set, to change from. */
export const sampleIntent: Intent = {
  contentUID: 'uid-1',
  contentName: 'podsnapshotcontent-1',
  namespace: 'default',
  snapshotName: 'counter',
  podUID: 'pod-uid',
  podName: 'counter-0',
  attempt: 1,
  step: 'staging',
  stagingDirectory: '/var/lib/cryopod/staging/uid-1-1',
  processes: [
    { container: 'main', source: { pid: 4711, startTicks: 123_456_789 }, criu: undefined },
    { container: 'side', source: { pid: 4712, startTicks: 123_456_790 }, criu: undefined },
  ],
  fence: 3,
  facts: '{"a":1}',
};

/** What every journal must do; `open` gives a fresh one, `reopen` the same one as a restarted agent finds it. */
export function journalContract(
  name: string,
  make: () => { open: () => Journal; reopen: (old: Journal) => Journal },
): void {
  describe(name, () => {
    it('knows nothing at first', () => {
      const journal = make().open();
      expect(journal.open()).toEqual([]);
      expect(journal.find('uid-1')).toBeUndefined();
      journal.close();
    });

    it('gives back an intent exactly as it was begun, also after a restart', () => {
      const world = make();
      const journal = world.open();
      journal.begin(sampleIntent);
      expect(journal.find('uid-1')).toEqual(sampleIntent);
      const again = world.reopen(journal);
      expect(again.open()).toEqual([sampleIntent]);
      again.close();
    });

    it('knows the holders before this one, and not this one', () => {
      const world = make();
      const first = world.open();
      expect(first.succeed('agent-1')).toEqual(new Set());
      expect(first.succeed('agent-1')).toEqual(new Set());
      const second = world.reopen(first);
      expect(second.succeed('agent-2')).toEqual(new Set(['agent-1']));
      const third = world.reopen(second);
      expect(third.succeed('agent-3')).toEqual(new Set(['agent-1', 'agent-2']));
      third.close();
    });

    it('replaces the intent of an older attempt', () => {
      const journal = make().open();
      journal.begin(sampleIntent);
      journal.begin({ ...sampleIntent, attempt: 2, processes: [] });
      expect(journal.open()).toEqual([{ ...sampleIntent, attempt: 2, processes: [] }]);
      journal.close();
    });

    it('changes only the fields named in an update', () => {
      const journal = make().open();
      journal.begin(sampleIntent);
      const processes = sampleIntent.processes.map((one) => ({
        ...one,
        criu: { pid: 9, startTicks: 8 },
      }));
      journal.update('uid-1', { step: 'dumping', processes });
      expect(journal.find('uid-1')).toEqual({ ...sampleIntent, step: 'dumping', processes });
      journal.update('uid-1', { processes: sampleIntent.processes });
      expect(journal.find('uid-1')).toEqual({ ...sampleIntent, step: 'dumping' });
      journal.close();
    });

    it('refuses to update an intent that is not open', () => {
      const journal = make().open();
      expect(() => journal.update('nobody', { step: 'dumped' })).toThrow(/no open intent/);
      journal.close();
    });

    it('forgets a finished intent for good and leaves the others', () => {
      const world = make();
      const journal = world.open();
      journal.begin(sampleIntent);
      journal.begin({ ...sampleIntent, contentUID: 'uid-2' });
      journal.finish('uid-1');
      journal.finish('uid-1');
      const again = world.reopen(journal);
      expect(again.open().map((intent) => intent.contentUID)).toEqual(['uid-2']);
      again.close();
    });
  });
}
