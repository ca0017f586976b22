import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition, isTrue } from '../../core/api/conditions.ts';
import type { Bed } from '../bed/bed.ts';
import {
  askedOver,
  askingClient,
  askingServer,
  connectionImage,
  connectionPort,
} from './asking.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  logsOf,
  readContent,
  waitForEnd,
} from './cluster.ts';
import { placeholderPod, snapshotOf, sourcePod } from './workloads.ts';

describe('established TCP connections of a source', () => {
  let bed: Bed;
  let namespace: string;
  let serverAddress = '';

  const askedOf = async (name: string): Promise<number> =>
    askedOver(await logsOf(bed, namespace, name).catch(() => ''));
  const start = async (name: string, nodeName: string, script: string): Promise<void> => {
    const command = ['python3', '-c', script];
    await bed.apply(sourcePod({ name, namespace, image: connectionImage, nodeName, command }));
  };
  const expectAsking = async (name: string): Promise<void> => {
    const before = await askedOf(name);
    const more = async () => ((await askedOf(name)) > before + 2 ? true : undefined);
    await bed.waitFor(`${name} to ask on over its first connection`, more, 30_000);
  };

  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'connections');
    await start('server', 'node-b', askingServer);
    serverAddress = await bed.waitFor(
      'the server to listen',
      async () => {
        if (!(await logsOf(bed, namespace, 'server').catch(() => '')).includes('listening')) return;
        const path = ['-o', 'jsonpath={.status.podIP}'];
        return (await bed.kubectl(['get', 'pod', 'server', '-n', namespace, ...path])) || undefined;
      },
      60_000,
    );
    await start('client', 'node-a', askingClient(serverAddress));
    await expectAsking('client');
  });
  afterAll(() => deleteNamespace(bed, namespace));

  it('are listed and left alone when they are not to be lost (Refuse)', async () => {
    const extra = { tcp: 'Refuse' };
    await bed.apply(snapshotOf({ name: 'refuse', namespace, pod: 'client', extra }));
    const { status } = await waitForEnd(bed, namespace, 'refuse', 60_000);
    const failed = findCondition(status.conditions, 'Failed');
    expect(failed?.reason, JSON.stringify(status)).toBe('PreflightFailed');
    expect(failed?.message).toMatch(
      new RegExp(
        `process \\d+ \\(python3[^)]*\\), descriptor \\d+.* ${serverAddress}:${connectionPort}`,
      ),
    );
    expect(status.sourceState).toBe('Untouched');
    await expectAsking('client');
  });

  it('are saved, and go on in the source, when they are asked for (Established)', async () => {
    const extra = { tcp: 'Established' };
    await bed.apply(snapshotOf({ name: 'established', namespace, pod: 'client', extra }));
    const ended = await waitForEnd(bed, namespace, 'established', 60_000);
    expect(isTrue(ended.status.conditions, 'Ready'), JSON.stringify(ended.status)).toBe(true);
    expect((await readContent(bed, ended.metadata.uid))?.spec.tcp).toBe('Established');
    await expectAsking('client');
    expect(await logsOf(bed, namespace, 'client')).not.toContain('connection 2');
  });

  it('go on in the source also when the copy is to have them closed (Close)', async () => {
    await bed.apply(snapshotOf({ name: 'close', namespace, pod: 'client' }));
    const ended = await waitForEnd(bed, namespace, 'close', 60_000);
    expect(isTrue(ended.status.conditions, 'Ready'), JSON.stringify(ended.status)).toBe(true);
    await expectAsking('client');
  });

  it('are closed in a copy with another address, which says so and listens on', async () => {
    const extra = { tcp: 'Established' };
    await bed.apply(snapshotOf({ name: 'server', namespace, pod: 'server', extra }));
    const { status } = await waitForEnd(bed, namespace, 'server', 60_000);
    expect(isTrue(status.conditions, 'Ready'), JSON.stringify(status)).toBe(true);
    await expectAsking('client');

    const snapshot = 'server';
    const container = { name: 'main', image: connectionImage };
    await bed.apply(
      placeholderPod({
        ...{ name: 'copy', namespace, snapshot, nodeName: 'node-a', containers: [container] },
      }),
    );
    const said = await bed.waitFor(
      'the copy to be restored or refused',
      async () => {
        const path = `{.status.conditions[?(@.type=="nvidia.com/Restored")]['reason','message']}`;
        const options = ['-n', namespace, '-o', `jsonpath=${path}`];
        const text = await bed.kubectl(['get', 'pod', 'copy', ...options]);
        return /Succeeded|Failed|Incompatible/.test(text) ? text : undefined;
      },
      60_000,
    );
    expect(said).toMatch(
      new RegExp(
        `^RestoreSucceeded .*TCP connections closed: 1, because the address of the pod is \\S+ and was ${serverAddress}`,
      ),
    );
    // The connection that was captured is the first of the server's life.
    const script = `import socket; s = socket.create_connection(('127.0.0.1', ${connectionPort}), 10).makefile('rw'); s.write('hello\\n'); s.flush(); print(s.readline())`;
    const exec = ['exec', 'copy', '-n', namespace, '--', 'python3', '-c', script];
    expect(await bed.kubectl(exec)).toContain('connection 2 hello');
    await expectAsking('client');
  });
});
