import { kubeContract } from '../../contract/kube.contract.ts';
import { MemoryKube } from '../../support/memory-kube.ts';

kubeContract('MemoryKube', async () => ({ kube: new MemoryKube(), namespace: 'default' }));
