/** Programs that are built or downloaded; etcd and kubectl come from the node root when nobody brings them. */
export const kubernetesPrograms = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
] as const;
export type KubernetesProgram = (typeof kubernetesPrograms)[number];

/** A folder in which a program may lie, and how it is called in the progress line. */
export type Place = { readonly label: string; readonly folder: string };

/** Facts about one program, from which {@link chooseSource} decides. */
export type ProgramFacts = {
  /** By place, in order of preference: what `--version` of the program there said, if it is there. */
  readonly found: readonly { readonly place: Place; readonly version: string | undefined }[];
};

/** Where a program is taken from, or why it must be made. */
export type Choice =
  | { readonly from: 'place'; readonly place: Place }
  | { readonly from: 'nowhere'; readonly passedOver: readonly string[] };

/**
 * Takes the first place that holds the program in the wanted minor version. Another minor version is
 * passed over with a word, as a bed of mixed versions would test something nobody runs.
 */
export function chooseSource(facts: ProgramFacts, wantedVersion: string): Choice {
  const passedOver: string[] = [];
  for (const { place, version } of facts.found) {
    if (version === undefined) continue;
    if (minorOf(version) === minorOf(wantedVersion)) return { from: 'place', place };
    passedOver.push(`${place.label} has ${version}`);
  }
  return { from: 'nowhere', passedOver };
}

/** `1.36` of `Kubernetes v1.36.3`, of `1.36.3` and of `v1.36.3-alpha`; undefined of anything else. */
export function minorOf(version: string): string | undefined {
  return /(?:^|[^\d.])(\d+\.\d+)(?:\.|$)/.exec(version)?.[1];
}

/** Folders that the environment names for programs, first choice first. */
export function environmentPlaces(
  environment: Readonly<Record<string, string | undefined>>,
): readonly Place[] {
  return ['CRYOPOD_BED_BIN', 'KUBEBUILDER_ASSETS'].flatMap((label) => {
    const folder = environment[label];
    return folder === undefined || folder === '' ? [] : [{ label, folder }];
  });
}

/** What is downloaded for a program, and the published sum beside it. */
export function downloadAddress(program: string, version: string, architecture: string): string {
  return `https://dl.k8s.io/release/v${version}/bin/linux/${architecture}/${program}`;
}

/** Go's and Kubernetes' name of Node's architecture names. */
export function goArchitecture(nodeArchitecture: string): 'amd64' | 'arm64' {
  if (nodeArchitecture === 'x64') return 'amd64';
  if (nodeArchitecture === 'arm64') return 'arm64';
  throw new Error(`a bed runs on x64 and arm64, not on ${nodeArchitecture}`);
}
