import type { Kind } from '../../../core/api/kinds.ts';

const cluster = (group: string, kind: string, plural: string): Kind => ({
  ...{ group, version: 'v1', kind, plural },
  namespaced: false,
});

/** Kinds of Kubernetes that only `doctor` looks at. */
export const clusterKinds = {
  namespace: cluster('', 'Namespace', 'namespaces'),
  definition: cluster(
    'apiextensions.k8s.io',
    'CustomResourceDefinition',
    'customresourcedefinitions',
  ),
  policy: cluster(
    'admissionregistration.k8s.io',
    'ValidatingAdmissionPolicy',
    'validatingadmissionpolicies',
  ),
  policyBinding: cluster(
    'admissionregistration.k8s.io',
    'ValidatingAdmissionPolicyBinding',
    'validatingadmissionpolicybindings',
  ),
  mutatingWebhook: cluster(
    'admissionregistration.k8s.io',
    'MutatingWebhookConfiguration',
    'mutatingwebhookconfigurations',
  ),
  accessReview: cluster(
    'authorization.k8s.io',
    'SelfSubjectAccessReview',
    'selfsubjectaccessreviews',
  ),
  daemonSet: {
    group: 'apps',
    version: 'v1',
    kind: 'DaemonSet',
    plural: 'daemonsets',
    namespaced: true,
  },
  deployment: {
    group: 'apps',
    version: 'v1',
    kind: 'Deployment',
    plural: 'deployments',
    namespaced: true,
  },
} as const satisfies Record<string, Kind>;

/** Every admission policy of deploy/admission, each with a binding of its own name (a test compares). */
export const policyNames: readonly string[] = [
  'cryopod-agent-contents',
  'cryopod-agent-leases',
  'cryopod-checkpoint-rights',
  'cryopod-checkpoint-status',
  'cryopod-content-orders',
  'cryopod-content-marks',
  'cryopod-content-status',
  'cryopod-explanation-rights',
  'cryopod-explanation-status',
  'cryopod-pods',
  'cryopod-restore-rights',
  'cryopod-restore-status',
  'cryopod-snapshot-job-rights',
  'cryopod-snapshot-job-status',
  'cryopod-snapshot-rights',
  'cryopod-snapshot-marks',
  'cryopod-snapshot-status',
];
