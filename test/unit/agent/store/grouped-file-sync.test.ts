import type { FileHandle } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { groupedFileSync } from '../../../../agent/store/dir/grouped-file-sync.ts';

/** Files whose syncs end when they are told to. */
function files() {
  const running = new Map<string, PromiseWithResolvers<void>>();
  const file = (name: string): FileHandle =>
    ({
      datasync: () => {
        const sync = Promise.withResolvers<void>();
        running.set(name, sync);
        return sync.promise;
      },
    }) as FileHandle;
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const end = async (name: string, error?: Error): Promise<void> => {
    const sync = running.get(name);
    running.delete(name);
    if (error === undefined) sync?.resolve();
    else sync?.reject(error);
    await turn();
  };
  return { file, end, turn, running: () => [...running.keys()] };
}

describe('files made durable in groups', () => {
  it('wait while a group is on its way, and then go together, two at a time', async () => {
    const { file, end, running } = files();
    const sync = groupedFileSync();
    const durable: string[] = [];
    const add = (name: string): Promise<unknown> => sync(file(name)).then(() => durable.push(name));
    const all = ['a', 'b', 'c', 'd'].map(add);
    expect(running()).toEqual(['a']);
    await end('a');
    expect(durable).toEqual(['a']);
    expect(running()).toEqual(['b', 'c']);
    await end('c');
    expect(running()).toEqual(['b', 'd']);
    await end('b');
    expect(durable).toEqual(['a']);
    await end('d');
    await Promise.all(all);
    expect(durable).toEqual(['a', 'b', 'c', 'd']);
  });

  it('all fail with one of their group, after all of it has ended, and the next group is a new try', async () => {
    const { file, end, running } = files();
    const sync = groupedFileSync();
    const first = sync(file('a'));
    const group = Promise.allSettled(['b', 'c', 'd'].map((name) => sync(file(name))));
    await end('a');
    await first;
    const next = sync(file('e'));
    await end('b', new Error('EIO'));
    expect(running()).toEqual(['c']);
    await end('c');
    await end('d');
    expect((await group).map(({ status }) => status)).toEqual(Array(3).fill('rejected'));
    await end('e');
    await next;
  });
});
