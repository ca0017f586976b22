import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findUnsavableDescriptors } from '../../../../../agent/capture/criu/descriptor-details.ts';
import type { Descriptor } from '../../../../../agent/capture/facts.ts';

describe('descriptors that CRIU does not save as they are', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'details-'));
    await mkdir(join(directory, '7/fdinfo'), { recursive: true });
    await mkdir(join(directory, '7/fd'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const find = (...descriptors: readonly Descriptor[]): Promise<readonly string[]> =>
    findUnsavableDescriptors(directory, [
      {
        ...{ pid: 7, command: 'x', tracer: undefined, descriptors },
        ...{ mappedDevices: [], mappedObjects: [], nestedNamespaces: [] },
      },
    ]);

  it('are eventfds made as semaphores, and no others', async () => {
    const details = 'pos:\t0\neventfd-count:                3\neventfd-id: 69\neventfd-semaphore: ';
    await writeFile(join(directory, '7/fdinfo/3'), `${details}0\n`);
    await writeFile(join(directory, '7/fdinfo/4'), `${details}1\n`);
    const target = 'anon_inode:[eventfd]';
    const found = await find({ fd: 3, target }, { fd: 4, target }, { fd: 5, target });
    expect(found).toEqual([
      expect.stringMatching(/^process 7 \(x\), descriptor 4 is an eventfd made as a semaphore/),
    ]);
  });

  it('are secret memory, and not memory files', async () => {
    const found = await find(
      { fd: 5, target: '/secretmem (deleted)' },
      { fd: 6, target: '/memfd:x (deleted)' },
    );
    expect(found).toEqual([expect.stringMatching(/descriptor 5 is secret memory/)]);
  });

  it('are message queues, and not files that are called alike', async () => {
    await symlink('/', join(directory, '7/fd/3'));
    const found = await find({ fd: 3, target: '/queue' }, { fd: 4, target: '/closed' });
    expect(found).toEqual([]);
  });
});
