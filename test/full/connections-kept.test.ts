import { expect, it } from 'vitest';
import { isTrue } from '../../core/api/conditions.ts';
import { askedOver, askingClient, askingServer, connectionImage } from '../e2e/asking.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  logsOf,
  waitForEnd,
} from '../e2e/cluster.ts';
import { waitForRestored } from '../e2e/placeholder.ts';
import { placeholderPod, snapshotOf, sourcePod } from '../e2e/workloads.ts';

const node = 'node-b';
/** Where the bed's CNI plugin (host-local) keeps which addresses are taken, and the last one that it gave. */
const addresses = '/var/lib/cni/networks/pods';

/** The address before this one; host-local goes on from the last that it gave. */
const before = (address: string): string => {
  const [last = 0, ...rest] = address.split('.').map(Number).reverse();
  return [last - 1, ...rest].reverse().join('.');
};

it('a connection goes on in the restored pod where that has the address of the captured one', async () => {
  const bed = await attachSharedBed();
  const namespace = await createNamespace(bed, 'connections-kept');
  try {
    const start = (name: string, nodeName: string, script: string): Promise<void> => {
      const command = ['python3', '-c', script];
      return bed.apply(sourcePod({ name, namespace, image: connectionImage, nodeName, command }));
    };
    const addressOf = (pod: string): Promise<string> =>
      bed.kubectl(['get', 'pod', pod, '-n', namespace, '-o', 'jsonpath={.status.podIP}']);
    const asked = async (): Promise<number> =>
      askedOver(await logsOf(bed, namespace, 'client').catch(() => ''));
    const expectAsking = async (): Promise<void> => {
      const already = await asked();
      const more = async () => ((await asked()) > already + 2 ? true : undefined);
      await bed.waitFor('the client to ask on over its first connection', more, 90_000);
    };
    await start('server', node, askingServer);
    const address = await bed.waitFor(
      'the server to listen',
      async () =>
        (await logsOf(bed, namespace, 'server').catch(() => '')).includes('listening')
          ? await addressOf('server')
          : undefined,
      60_000,
    );
    await start('client', 'node-a', askingClient(address));
    await expectAsking();

    const extra = { tcp: 'Established', afterCapture: 'Terminate' };
    await bed.apply(snapshotOf({ name: 'server', namespace, pod: 'server', extra }));
    const { status } = await waitForEnd(bed, namespace, 'server', 60_000);
    expect(isTrue(status.conditions, 'Ready'), JSON.stringify(status)).toBe(true);
    await bed.kubectl(['wait', 'pod/server', '-n', namespace, '--for=delete', '--timeout=60s']);
    const free = `until ! [ -e ${addresses}/${address} ]; do sleep 0.05; done; printf %s ${before(address)} >${addresses}/last_reserved_ip.0`;
    const given = await bed.node(node).exec(['timeout', '60', 'bash', '-ec', free]);
    expect(given.exitCode, given.stderr).toBe(0);

    const containers = [{ name: 'main', image: connectionImage }];
    const placed = { name: 'again', namespace, snapshot: 'server', nodeName: node, containers };
    await bed.apply(placeholderPod(placed));
    expect(await waitForRestored(bed, namespace, 'again')).not.toContain('closed');
    expect(await addressOf('again')).toBe(address);
    await expectAsking();
    expect(await logsOf(bed, namespace, 'client')).not.toContain('connection 2');
  } finally {
    await deleteNamespace(bed, namespace);
  }
});
