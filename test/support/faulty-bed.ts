import { type ConnectedKube, connectKube } from '../../runtime/kube.ts';
import { type Bed, downBed, upBed } from '../bed/bed.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';

/** A bed without nodes and two ways to its API server: `direct`, and `kube` through a proxy that can break things. */
export type FaultyBed = {
  readonly bed: Bed;
  readonly proxy: FaultProxy;
  readonly direct: ConnectedKube;
  readonly kube: ConnectedKube;
  readonly close: () => Promise<void>;
};

/** Brings the bed up; requests time out after 5 s. */
export async function openFaultyBed(name: string): Promise<FaultyBed> {
  const bed = await upBed({ name, nodes: 0 });
  const proxy = await startFaultProxy(bed, 'runtime');
  const options = { requestTimeoutMilliseconds: 5_000, userAgent: 'cryopod-test/0' };
  const direct = await connectKube({ ...options, kubeconfigPath: bed.kubeconfigPath });
  const kube = await connectKube({ ...options, kubeconfigPath: proxy.kubeconfigPath });
  const close = async (): Promise<void> => {
    kube.close();
    direct.close();
    await proxy.close();
    await downBed(name);
  };
  return { bed, proxy, direct, kube, close };
}
