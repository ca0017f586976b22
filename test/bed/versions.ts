/** Every version the test bed is made of, in one place; a change here makes new cache entries. */

/** Kubernetes release of apiserver, controller-manager, scheduler and kubelet (Go module `k8s.io/kubernetes`). */
export const kubernetesVersion = '1.36.3';

/**
 * Debian suite of the node root. Stable (trixie) has containerd 1.7, which kubelet 1.36 no longer
 * supports; forky has containerd 2.1, runc 1.3, kubectl 1.36 and CRIU 4.2.
 */
export const nodeSuite = 'forky';

/** Debian packages of the node root; etcd and kubectl of the control plane come from it as well. */
export const nodePackages: readonly string[] = [
  'busybox-static',
  'ca-certificates',
  'containerd',
  'containernetworking-plugins',
  'criu',
  'etcd-server',
  'iproute2',
  'iptables',
  'kubernetes-client',
  'mount',
  'procps',
  'runc',
  'util-linux',
];

/** Sandbox image of every node; the name is complete, or containerd would look for a registry. */
export const pauseImage = 'cryopod.dev/pause:dev';

/** A shell and the usual small tools, for tests that need any container at all. */
export const busyboxImage = 'cryopod.dev/busybox:dev';
