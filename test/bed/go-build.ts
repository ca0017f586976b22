import { fileURLToPath } from 'node:url';
import type { KubernetesProgram } from './cascade.ts';
import { attempt, run } from './command.ts';
import { kubernetesVersion } from './versions.ts';

/** Builds programs of Kubernetes from the Go module pinned in tools/ into `folder`. */
export async function buildPrograms(
  programs: readonly KubernetesProgram[],
  architecture: 'amd64' | 'arm64',
  folder: string,
): Promise<void> {
  const directory = fileURLToPath(new URL('tools', import.meta.url));
  const found = await attempt(['go', 'version'], {}).catch(() => undefined);
  if (found === undefined) {
    throw new Error(
      'Go is needed to build Kubernetes: install Go 1.26 (https://go.dev/dl) or set CRYOPOD_BED_BIN to a folder with kube-apiserver, kube-controller-manager, kube-scheduler and kubelet.',
    );
  }
  const [major = '', minor = ''] = kubernetesVersion.split('.');
  const stamp = 'k8s.io/component-base/version';
  // Without the stamps the programs say v0.0.0, and the checks of version skew refuse them.
  const linkerFlags = [
    '-s -w',
    `-X ${stamp}.gitVersion=v${kubernetesVersion}`,
    `-X ${stamp}.gitMajor=${major}`,
    `-X ${stamp}.gitMinor=${minor}`,
    `-X k8s.io/client-go/pkg/version.gitVersion=v${kubernetesVersion}`,
  ];
  await run(
    [
      ...['go', 'build', '-trimpath', '-ldflags', linkerFlags.join(' '), '-o', `${folder}/`],
      ...programs.map((it) => `k8s.io/kubernetes/cmd/${it}`),
    ],
    {
      directory,
      environment: { CGO_ENABLED: '0', GOFLAGS: '', GOOS: 'linux', GOARCH: architecture },
    },
  );
}
