import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import * as z from 'zod';
import { podWebhook } from '../../../core/api/names.ts';
import { bedPatches } from '../../bed/overlay.ts';

const rule = z.object({
  apiGroups: z.array(z.string()),
  resources: z.array(z.string()),
  resourceNames: z.array(z.string()).default([]),
  verbs: z.array(z.string()),
});
const manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }).optional(),
  rules: z.array(rule).default([]),
  spec: z.looseObject({}).optional(),
});
type Manifest = z.infer<typeof manifest>;

const directory = new URL('../../../deploy/', import.meta.url).pathname;
const names = (await readdir(directory)).filter((name) => name.endsWith('.yaml'));
const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
const manifests: readonly Manifest[] = texts.flatMap((text) =>
  parseAllDocuments(text).map((document) => manifest.parse(document.toJS())),
);

const verbsOf = (role: string, resource: string): readonly string[] =>
  manifests
    .filter((item) => /^(Cluster)?Role$/.test(item.kind) && item.metadata?.name === role)
    .flatMap((item) => item.rules)
    .filter((item) => item.resources.includes(resource))
    .flatMap((item) => item.verbs)
    .sort();

const podOf = (kind: string) =>
  z
    .object({
      template: z.object({
        spec: z.looseObject({
          containers: z.array(
            z.looseObject({
              env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })),
              securityContext: z.looseObject({}),
            }),
          ),
          volumes: z.array(z.looseObject({ name: z.string() })).default([]),
        }),
      }),
    })
    .parse(manifests.find((item) => item.kind === kind)?.spec).template.spec;

const readOnly = ['get', 'list', 'watch'];

describe('what the agent may do', () => {
  it('reads contents and writes nothing of them but their status', () => {
    expect(verbsOf('cryopod-agent', 'podsnapshotcontents')).toEqual(readOnly);
    expect(verbsOf('cryopod-agent', 'podsnapshotcontents/status')).toEqual(['patch']);
    expect(verbsOf('cryopod-agent', 'podsnapshots')).toEqual(['get']);
    expect(verbsOf('cryopod-agent', 'dynamocheckpoints')).toEqual([]);
    expect(verbsOf('cryopod-agent', 'podsnapshotexplanations')).toEqual(['delete', ...readOnly]);
    expect(verbsOf('cryopod-agent', 'podsnapshotexplanations/status')).toEqual(['patch']);
  });

  it('labels pods, ends one that a snapshot ends, writes a condition, and makes none', () => {
    expect(verbsOf('cryopod-agent', 'pods')).toEqual(['delete', 'get', 'list', 'patch', 'watch']);
    // One condition only: cryopod-pods in deploy/admission.
    expect(verbsOf('cryopod-agent', 'pods/status')).toEqual(['patch']);
    for (const resource of ['pods/exec', 'jobs', 'secrets', 'nodes']) {
      expect(verbsOf('cryopod-agent', resource), resource).toEqual([]);
    }
  });

  it('never deletes a lease, and has leases in its own namespace only', () => {
    expect(verbsOf('cryopod-agent', 'leases')).toEqual(['create', 'get', 'patch']);
    const cluster = manifests.find(
      (item) => item.kind === 'ClusterRole' && item.metadata?.name === 'cryopod-agent',
    );
    expect(cluster?.rules.flatMap((item) => item.resources)).not.toContain('leases');
  });
});

describe('what users may do', () => {
  it('see no explanation with a role that only views', () => {
    expect(verbsOf('cryopod-view', 'podsnapshotexplanations')).toEqual([]);
    expect(verbsOf('cryopod-edit', 'podsnapshotexplanations')).toContain('create');
  });
});

describe('what the controller may do', () => {
  it('makes and removes Jobs and pods, and changes none, and only reads nodes', () => {
    expect(verbsOf('cryopod-controller', 'jobs')).toEqual(
      ['create', 'delete', 'get', 'list', 'watch'].sort(),
    );
    // Pods of PodRestores only: cryopod-pods in deploy/admission.
    expect(verbsOf('cryopod-controller', 'pods')).toEqual(['create', 'delete', ...readOnly]);
    expect(verbsOf('cryopod-controller', 'nodes')).toEqual(readOnly);
    expect(verbsOf('cryopod-controller', 'secrets')).toEqual(['get', 'patch']);
  });

  it('fills one Secret and trusts itself in one webhook, and makes neither', () => {
    const narrow = manifests
      .filter((item) => item.metadata?.name === 'cryopod-controller')
      .flatMap((item) => item.rules)
      .filter((item) => item.resourceNames.length > 0);
    expect(narrow).toEqual(
      [
        ['admissionregistration.k8s.io', 'mutatingwebhookconfigurations', podWebhook.configuration],
        ['', 'secrets', podWebhook.secret],
      ].map(([group, resource, name]) => ({
        ...{ apiGroups: [group], resources: [resource], resourceNames: [name] },
        verbs: ['get', 'patch'],
      })),
    );
    const plain = manifests
      .flatMap((item) => item.rules)
      .filter((item) => item.resourceNames.length === 0)
      .flatMap((item) => item.resources);
    expect(plain).not.toContain('secrets');
    expect(plain).not.toContain('mutatingwebhookconfigurations');
  });

  it('is no more than what the program does: it patches and never replaces an object', () => {
    for (const resource of ['podsnapshots', 'podsnapshotcontents']) {
      expect(verbsOf('cryopod-controller', resource)).toEqual(
        ['create', 'delete', 'get', 'list', 'patch', 'watch'].sort(),
      );
    }
    for (const kind of [
      'dynamocheckpoints',
      'snapshotjobs',
      'podsnapshots',
      'podsnapshotcontents',
      'podrestores',
    ]) {
      expect(verbsOf('cryopod-controller', `${kind}/status`)).toEqual(['patch']);
    }
    expect(verbsOf('cryopod-controller', 'podrestores')).toEqual(['get', 'list', 'patch', 'watch']);
    expect(verbsOf('cryopod-controller', 'leases')).toEqual(
      ['create', 'delete', 'get', 'list', 'patch', 'watch'].sort(),
    );
  });
});

describe('the webhook', () => {
  const found = (kind: string) => manifests.find((item) => item.kind === kind);

  it('is where the controller looks for it', () => {
    expect(found('Secret')).toMatchObject({ metadata: { name: podWebhook.secret } });
    // With data in the manifest an apply would put the certificates back.
    expect(found('Secret')).not.toHaveProperty('data');
    expect(found('Service')).toMatchObject({ metadata: { name: podWebhook.service } });
    const { name, path, service } = podWebhook;
    expect(found('MutatingWebhookConfiguration')).toMatchObject({
      metadata: { name: podWebhook.configuration },
      webhooks: [{ name, clientConfig: { service: { name: service, path } } }],
    });
  });

  it('never stands in the way of what serves it, and lets no pod start cold', () => {
    expect(found('MutatingWebhookConfiguration')).toMatchObject({
      webhooks: [
        {
          failurePolicy: 'Fail',
          sideEffects: 'None',
          namespaceSelector: {
            matchExpressions: [
              {
                key: 'kubernetes.io/metadata.name',
                operator: 'NotIn',
                values: ['cryopod-system', 'kube-system'],
              },
            ],
          },
        },
      ],
    });
  });
});

it('no role has a wildcard', () => {
  for (const { apiGroups, resources, verbs } of manifests.flatMap((item) => item.rules)) {
    expect([...apiGroups, ...resources, ...verbs]).not.toContain('*');
  }
});

describe('the pods', () => {
  it('the controller runs without privileges on a read-only root', () => {
    expect(podOf('Deployment').containers[0]?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  it('the agent has a read-only root, and of the node three directories only', () => {
    const { containers, volumes } = podOf('DaemonSet');
    expect(containers[0]?.securityContext).toMatchObject({ readOnlyRootFilesystem: true });
    const paths = volumes.flatMap(({ hostPath }) =>
      hostPath === undefined ? [] : [z.object({ path: z.string() }).parse(hostPath).path],
    );
    expect(paths).toEqual(['/var/lib/cryopod', '/var/lib/cryopod-store', '/sys/fs/cgroup']);
  });

  it('the agent mounts no runtime socket', () => {
    expect(JSON.stringify(podOf('DaemonSet').volumes)).not.toMatch(/\.sock/);
  });

  it('the bed patches only containers and volumes that exist or are its own', () => {
    const text = JSON.stringify(
      bedPatches({ controllerRevision: 'c', agentRevision: 'a', shim: true }),
    );
    expect(text).toContain('"imagePullPolicy":"Never"');
    expect(text).toContain('/opt/cryopod-bed/criu');
    const plain = bedPatches({ controllerRevision: 'c', agentRevision: 'a', shim: false });
    expect(JSON.stringify(plain)).not.toContain('cryopod-bed');
  });
});
