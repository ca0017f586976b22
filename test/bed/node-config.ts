import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { clusterDns, hubServer } from './control-plane.ts';
import { kubeconfig } from './kubeconfig.ts';
import { nodeAddress, nodeIndex, nodeName, podRange } from './network.ts';
import { type BedPaths, bedPaths } from './paths.ts';
import { pauseImage } from './versions.ts';

/** The files of one node as the host sees them. `bed` is what the node knows as /bed. */
export type NodePaths = {
  readonly directory: string;
  readonly bed: string;
  readonly pidPath: string;
  readonly logDirectory: string;
};

/** Paths of a node of a bed. */
export function nodePaths(bed: BedPaths, node: string): NodePaths {
  const directory = join(bed.nodesDirectory, node);
  return {
    directory,
    bed: join(directory, 'bed'),
    pidPath: join(directory, 'bed', 'pid'),
    logDirectory: join(bed.logDirectory, node),
  };
}

/** What differs between machines. */
export type NodeTraits = {
  /** Without CAP_SYS_RESOURCE a negative oom_score_adj is refused and no sandbox would start. */
  readonly restrictOomScore: boolean;
};

/** Makes the folders and writes every file that the programs of a node read. */
export async function writeNodeFiles(
  bed: string,
  node: string,
  nodeCount: number,
  traits: NodeTraits,
): Promise<void> {
  const paths = bedPaths(bed);
  const own = nodePaths(paths, node);
  const index = nodeIndex(node);
  for (const folder of [
    'upper',
    'work',
    'root',
    'containerd',
    'kubelet',
    'cryopod',
    'bed/cni',
    'bed/pki',
  ]) {
    await mkdir(join(own.directory, folder), { recursive: true });
  }
  await mkdir(own.logDirectory, { recursive: true });
  for (const script of ['init.sh', 'start.sh', 'signal.sh']) {
    await cp(fileURLToPath(new URL(`node/${script}`, import.meta.url)), join(own.bed, script));
  }
  for (const file of ['ca.crt', `${node}.crt`, `${node}.key`]) {
    await cp(join(paths.pkiDirectory, file), join(own.bed, 'pki', file));
  }
  const peers = Array.from({ length: nodeCount }, (_, at) => at + 1);
  const hosts = ['127.0.0.1 localhost', ...peers.map((it) => `${nodeAddress(it)} ${nodeName(it)}`)];
  const files: Readonly<Record<string, string>> = {
    address: nodeAddress(index),
    hostname: `${node}\n`,
    hosts: `${hosts.join('\n')}\n`,
    'resolv.conf': '', // nothing in a node ever asks a resolver outside
    kubeconfig: kubeconfig(hubServer, '/bed/pki', node),
    'kubelet.json': json(kubeletConfiguration(node)),
    'containerd.toml': containerdConfiguration(traits),
    'cni/10-bridge.conflist': json(podNetwork(index)),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(own.bed, name), text);
}

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

const kubeletConfiguration = (node: string) => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  authentication: {
    anonymous: { enabled: false },
    webhook: { enabled: true },
    x509: { clientCAFile: '/bed/pki/ca.crt' },
  },
  authorization: { mode: 'Webhook' },
  tlsCertFile: `/bed/pki/${node}.crt`,
  tlsPrivateKeyFile: `/bed/pki/${node}.key`,
  containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
  cgroupDriver: 'cgroupfs',
  failCgroupV1: false,
  failSwapOn: false,
  resolvConf: '',
  clusterDNS: [clusterDns.address],
  clusterDomain: clusterDns.domain,
  serializeImagePulls: false,
  // A node's file system is a folder of the host's: neither its size nor its fill is the node's own.
  localStorageCapacityIsolation: false,
  evictionHard: { 'nodefs.available': '0%', 'imagefs.available': '0%', 'memory.available': '50Mi' },
  imageGCHighThresholdPercent: 100,
  nodeStatusUpdateFrequency: '4s',
  nodeLeaseDurationSeconds: 16,
  syncFrequency: '10s',
  // Tests kill agents many times in a row; the default makes the eleventh wait for five minutes.
  featureGates: { KubeletCrashLoopBackOffMax: true },
  crashLoopBackOff: { maxContainerRestartPeriod: '1s' },
  registerNode: true,
  shutdownGracePeriod: '0s',
});

/** One bridge a node, pods routed between nodes, nothing masqueraded and no way out. */
const podNetwork = (index: number) => ({
  cniVersion: '1.0.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      ipMasq: false,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: podRange(index) }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    { type: 'loopback' },
  ],
});

const containerdConfiguration = (traits: NodeTraits): string =>
  `version = 3
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "${pauseImage}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = ${traits.restrictOomScore}
[plugins.'io.containerd.cri.v1.runtime'.containerd]
  default_runtime_name = "runc"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["/usr/lib/cni"]
  conf_dir = "/bed/cni"
`;
