import { expect, test } from 'vitest';
import { planPod } from '../../../../../agent/capture/criu/mount-plan.ts';
import { parseMountinfo } from '../../../../../agent/proc/mountinfo.ts';

/** Made after what pods show on Linux 6.18 with containerd 2.1. */
const mountinfo = [
  '800 700 0:90 / / rw - overlay overlay rw',
  '801 800 0:95 / /proc rw - proc proc rw',
  '802 800 0:91 / /dev rw - tmpfs tmpfs rw',
  '803 802 0:80 / /dev/shm rw - tmpfs shm rw',
  '804 800 0:77 / /run/secrets/kubernetes.io/serviceaccount ro - tmpfs tmpfs ro',
  '805 800 0:78 / /etc/keys ro - tmpfs tmpfs ro',
  '806 800 254:0 /var/lib/kubelet/pods/x/volumes/kubernetes.io~configmap/c /etc/config ro - ext4 /dev/vda rw',
  '807 800 254:0 /data /data rw - ext4 /dev/vda rw',
].join('\n');

test('secrets, tokens, configMaps and volumes of others are left outside of every dump', () => {
  const container = { name: 'main', containerID: '', root: { pid: 7, startTicks: 1 } };
  const mounts = parseMountinfo(mountinfo);
  const plan = planPod([{ container, mounts }], [], { podUID: 'x', volumes: [] });
  const outside = plan.mounts
    .flat()
    .filter(({ treatment }) => treatment === 'external')
    .map(({ path }) => path);
  for (const path of [
    '/run/secrets/kubernetes.io/serviceaccount',
    '/etc/keys',
    '/etc/config',
    '/data',
  ]) {
    expect(outside).toContain(path);
  }
});
