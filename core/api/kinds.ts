import { extensionGroup, group, version } from './names.ts';

/** Where a kind lives in the API: enough to build its URL. `group` is '' for core/v1. */
export type Kind = {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
};

const own = (kind: string, plural: string, namespaced: boolean): Kind => ({
  group,
  version,
  kind,
  plural,
  namespaced,
});

/** Every kind that Cryopod reads or writes. */
export const kinds = {
  podSnapshot: own('PodSnapshot', 'podsnapshots', true),
  podSnapshotContent: own('PodSnapshotContent', 'podsnapshotcontents', false),
  dynamoCheckpoint: own('DynamoCheckpoint', 'dynamocheckpoints', true),
  snapshotJob: own('SnapshotJob', 'snapshotjobs', true),
  podSnapshotExplanation: {
    group: extensionGroup,
    version,
    kind: 'PodSnapshotExplanation',
    plural: 'podsnapshotexplanations',
    namespaced: true,
  },
  podRestore: {
    group: extensionGroup,
    version,
    kind: 'PodRestore',
    plural: 'podrestores',
    namespaced: true,
  },
  pod: { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true },
  node: { group: '', version: 'v1', kind: 'Node', plural: 'nodes', namespaced: false },
  job: { group: 'batch', version: 'v1', kind: 'Job', plural: 'jobs', namespaced: true },
  lease: {
    group: 'coordination.k8s.io',
    version: 'v1',
    kind: 'Lease',
    plural: 'leases',
    namespaced: true,
  },
  secret: { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true },
  mutatingWebhookConfiguration: {
    group: 'admissionregistration.k8s.io',
    version: 'v1',
    kind: 'MutatingWebhookConfiguration',
    plural: 'mutatingwebhookconfigurations',
    namespaced: false,
  },
  tokenReview: {
    group: 'authentication.k8s.io',
    version: 'v1',
    kind: 'TokenReview',
    plural: 'tokenreviews',
    namespaced: false,
  },
  subjectAccessReview: {
    group: 'authorization.k8s.io',
    version: 'v1',
    kind: 'SubjectAccessReview',
    plural: 'subjectaccessreviews',
    namespaced: false,
  },
  event: {
    group: 'events.k8s.io',
    version: 'v1',
    kind: 'Event',
    plural: 'events',
    namespaced: true,
  },
} as const satisfies Record<string, Kind>;
