import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apiVersion, contentName, labels, systemNamespace } from '../../core/api/names.ts';
import { type Bed, downBed, upBed } from '../bed/bed.ts';

const manifests = fileURLToPath(new URL('../../deploy', import.meta.url));

/** The controller's user name, as every policy knows it. */
export const controller = `system:serviceaccount:${systemNamespace}:cryopod-controller`;
/** The user name that all agents share; their tokens tell them apart. */
export const agent = `system:serviceaccount:${systemNamespace}:cryopod-agent`;

/** One who asks: the words that make kubectl be them. */
export type Asker = readonly string[];

/** Somebody by name, with groups or extras if any; the rights are what RBAC gives the name. */
export const asUser = (name: string, ...more: readonly string[]): Asker => [
  `--as=${name}`,
  ...more,
];

/** The bed's administrator. */
export const administrator: Asker = [];

type Written = {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
};

/** An API server with the project's manifests in it, and what tests do there. */
export type AdmissionWorld = {
  readonly bed: Bed;
  readonly kubectl: (who: Asker, args: readonly string[], input?: unknown) => Promise<string>;
  readonly create: (who: Asker, object: object, ...flags: readonly string[]) => Promise<Written>;
  /** A merge patch of `KIND NAME [-n NAMESPACE]`. */
  readonly patch: (who: Asker, of: readonly string[], body: object) => Promise<Written>;
  /** The rules given to a user: in one namespace, or in the whole cluster with `''`. */
  readonly allow: (user: string, namespace: string, ...rules: readonly Rule[]) => Promise<void>;
  /** Who holds a token of the agents' service account that is bound to an agent pod of the node. */
  readonly agentOf: (node: string) => Promise<Asker>;
  /** Who holds such a token that is bound to nothing. */
  readonly unboundAgent: () => Promise<Asker>;
  readonly end: () => Promise<void>;
};

/** Verbs on `group/resource`, as in `create pods/exec` or `patch nvidia.com:podsnapshots/status`. */
export type Rule = `${string} ${string}`;

function policyRule(rule: Rule): object {
  const [verbs = '', resource = ''] = rule.split(' ');
  const [group, name] = resource.includes(':') ? resource.split(':') : ['', resource];
  return { apiGroups: [group], resources: [name], verbs: verbs.split(',') };
}

/** A container of no consequence; nothing runs without a kubelet. */
export const podObject = (name: string, namespace: string, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, ...metadata },
  spec: { containers: [{ name: 'main', image: 'cryopod.dev/busybox:dev' }] },
});

/** A pod that has its node, as after scheduling. */
export const placedPod = (name: string, namespace: string, node: string, more: object = {}) => ({
  ...podObject(name, namespace),
  spec: {
    nodeName: node,
    containers: [{ name: 'main', image: 'cryopod.dev/busybox:dev' }],
    ...more,
  },
});

/** A snapshot of the pod `web`. */
export const snapshotObject = (
  name: string,
  namespace: string,
  metadata: object = {},
  spec: object = {},
): object => ({
  apiVersion,
  kind: 'PodSnapshot',
  metadata: { name, namespace, ...metadata },
  spec: { source: { podRef: { name: 'web', containers: ['main'] } }, ...spec },
});

/** The order that the controller would make of a snapshot `name`, for a node. */
export const orderObject = (
  name: string,
  node: string,
  metadata: object = { labels: { [labels.node]: node } },
): object => ({
  apiVersion,
  kind: 'PodSnapshotContent',
  metadata: { name: contentName(name), ...metadata },
  spec: {
    snapshotRef: { namespace: 'team', name, uid: name },
    source: { nodeName: node, podRef: { name: 'web', uid: 'one', containers: ['main'] } },
  },
});

/** Not the administrator's with another user: his client certificate would win over the token. */
const tokenKubeconfig = (bed: Bed, token: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'bed', cluster: { server: bed.server, 'certificate-authority': bed.caPath } },
    ],
    users: [{ name: 'agent', user: { token } }],
    contexts: [{ name: 'bed', context: { cluster: 'bed', user: 'agent' } }],
    'current-context': 'bed',
  });

/** A content for an artifact that exists already, on a node where one is named. */
export const importedContent = (name: string, metadata: object = {}, node?: string): object => ({
  apiVersion,
  kind: 'PodSnapshotContent',
  metadata: { name, ...metadata },
  spec: {
    snapshotRef: { namespace: 'team', name: 'imported' },
    source: {
      artifact: { store: 'shared', digest: `sha256:${'3b'.repeat(32)}` },
      ...(node === undefined ? {} : { nodeName: node }),
    },
  },
});

/** A checkpoint in the namespace `team`; `template` is added to its pod template. */
export const checkpointObject = (name: string, template: object = {}): object => ({
  apiVersion,
  kind: 'DynamoCheckpoint',
  metadata: { name, namespace: 'team' },
  spec: {
    job: {
      podTemplateSpec: { ...template, spec: { containers: [{ name: 'main', image: 'a:b' }] } },
    },
  },
});

/** A bed of API server and etcd with everything of deploy/ in it, its policies at work, and the namespace `team`. */
export async function admissionWorld(name: string): Promise<AdmissionWorld> {
  const bed = await upBed({ name, nodes: 0 });
  const directory = await mkdtemp(join(tmpdir(), 'cryopod-admission-'));
  const kubectl: AdmissionWorld['kubectl'] = (who, args, input) =>
    bed.kubectl([...who, ...args], input === undefined ? undefined : JSON.stringify(input));
  const create: AdmissionWorld['create'] = async (who, object, ...flags) =>
    JSON.parse(await kubectl(who, ['create', '-o', 'json', ...flags, '-f', '-'], object));
  const patch: AdmissionWorld['patch'] = async (who, of, body) =>
    JSON.parse(
      await kubectl(who, [
        'patch',
        ...of,
        '--type=merge',
        '-o',
        'json',
        '-p',
        JSON.stringify(body),
      ]),
    );
  const token = async (name: string, ...bound: readonly string[]): Promise<Asker> => {
    const words = ['create', 'token', 'cryopod-agent', '-n', systemNamespace, ...bound];
    const path = join(directory, name);
    await writeFile(path, tokenKubeconfig(bed, (await bed.kubectl(words)).trim()), { mode: 0o600 });
    return [`--kubeconfig=${path}`];
  };
  const allow: AdmissionWorld['allow'] = async (user, namespace, ...rules) => {
    const prefix = namespace === '' ? 'Cluster' : '';
    const metadata = { name: user, ...(namespace === '' ? {} : { namespace }) };
    const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1' };
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: `${prefix}Role`, name: user };
    const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }];
    await kubectl(administrator, ['create', '-f', '-'], {
      apiVersion: 'v1',
      kind: 'List',
      items: [
        { ...rbac, kind: `${prefix}Role`, metadata, rules: rules.map(policyRule) },
        { ...rbac, kind: `${prefix}RoleBinding`, metadata, roleRef, subjects },
      ],
    });
  };
  await until(bed, 'deploy/ to be applied', () =>
    bed.kubectl(['apply', '--server-side', '-k', manifests]),
  );
  // Asked here is what policies say; nobody is there to answer the webhook, without which an annotated pod is not created.
  await bed.kubectl(['delete', 'mutatingwebhookconfiguration', 'cryopod-pods']);
  await until(bed, 'the kinds to be served', () =>
    bed.kubectl(['get', 'podsnap,podsnapcontent,dckpt,snapjob,podexplain', '-A']),
  );
  await bed.kubectl(['create', 'namespace', 'team']);
  // kubectl reads what it is about to patch; reading is not what is asked here.
  await bed.kubectl(['create', 'clusterrole', 'reader', '--verb=get', '--resource=*.*,*.*/status']);
  const everybody = ['--clusterrole=reader', '--group=system:authenticated'];
  await bed.kubectl(['create', 'clusterrolebinding', 'reader', ...everybody]);
  // In a whole cluster the controller manager makes it.
  await bed.kubectl(['create', 'serviceaccount', 'default', '-n', 'team']);
  const world: AdmissionWorld = {
    ...{ bed, kubectl, create, patch, allow },
    agentOf: async (node) => {
      const pod = placedPod(`cryopod-agent-${node}`, systemNamespace, node, {
        serviceAccountName: 'cryopod-agent',
      });
      const { metadata } = await create(administrator, pod);
      const bound = ['--bound-object-kind=Pod', `--bound-object-name=${metadata.name}`];
      return token(node, ...bound, `--bound-object-uid=${metadata.uid}`);
    },
    unboundAgent: () => token('unbound'),
    end: async () => {
      await rm(directory, { recursive: true });
      await downBed(name);
    },
  };
  await policiesAtWork(world);
  return world;
}

async function until(bed: Bed, what: string, work: () => Promise<string>): Promise<void> {
  let said: unknown;
  const probe = () =>
    work().catch((error: unknown) => {
      said = error;
      return undefined;
    });
  await bed.waitFor(what, probe, 30_000).catch((error: unknown) => {
    throw new Error(`${String(error)}\nlast: ${String(said)}`);
  });
}

/** The server learns of policies in the order in which they were made: with the first and the last all are there. */
async function policiesAtWork({ bed, create, patch }: AdmissionWorld): Promise<void> {
  await create(asUser(controller), snapshotObject('at-work', 'team'));
  const refused = async (of: readonly string[], body: object): Promise<true | undefined> =>
    patch(administrator, of, body).then(
      () => undefined,
      (error: Error) => (error.message.includes('is written by') ? true : undefined),
    );
  await create(asUser(controller), orderObject('at-work', 'node-a'));
  const objects = [
    ['podsnapshot', 'at-work', '-n', 'team'],
    ['podsnapshotcontent', contentName('at-work')],
  ];
  for (const of of objects) {
    const probe = () => refused([...of, '--subresource=status'], { status: { attempts: 1 } });
    await bed.waitFor(`the policies of ${of[0]} to be at work`, probe, 30_000);
  }
}
