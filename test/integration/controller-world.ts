import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { type DynamoCheckpoint, parseDynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import { type Kind, kinds } from '../../core/api/kinds.ts';
import type { Parsed } from '../../core/api/metadata.ts';
import { type PodSnapshot, parsePodSnapshot } from '../../core/api/pod-snapshot.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../../core/api/pod-snapshot-content.ts';
import { parseSnapshotJob, type SnapshotJob } from '../../core/api/snapshot-job.ts';
import { isFailure } from '../../core/failure.ts';
import { type ConnectedKube, connectKube } from '../../runtime/kube.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { type Bed, upBed } from '../bed/bed.ts';
import { hubServer } from '../bed/control-plane.ts';
import { netnsPath } from '../bed/paths.ts';

const never = new AbortController().signal;
const root = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** A controller process with the rights of its service account. */
export type ControllerProcess = {
  /** Sends a signal and waits for nothing. */
  readonly signal: (signal: 'SIGSTOP' | 'SIGCONT') => void;
  /** The exit code, once it has ended by itself. */
  readonly ended: Promise<number | undefined>;
  /** Sends a signal and waits for the end; returns the exit code, undefined after SIGKILL. */
  readonly stop: (signal: 'SIGTERM' | 'SIGKILL') => Promise<number | undefined>;
  readonly log: () => string;
};

/** A bed of etcd and the API server alone, with the CRDs and the controller's rights, and what tests do in it. */
export class ControllerWorld {
  readonly bed: Bed;
  readonly kube: ConnectedKube;
  readonly #directory: string;

  constructor(bed: Bed, kube: ConnectedKube, directory: string) {
    this.bed = bed;
    this.kube = kube;
    this.#directory = directory;
  }

  /** Starts the controller as it is deployed, but for the image. */
  start(name: string, environment: Readonly<Record<string, string>> = {}): ControllerProcess {
    return this.#started(
      [],
      { KUBECONFIG: join(this.#directory, 'kubeconfig') },
      name,
      environment,
    );
  }

  /** The same beside the API server, which can call it there. */
  startInHub(name: string, environment: Readonly<Record<string, string>>): ControllerProcess {
    const enter = ['nsenter', `--net=${netnsPath(this.bed.name, 'hub')}`, '--'];
    const KUBECONFIG = join(this.#directory, 'hub-kubeconfig');
    return this.#started(enter, { KUBECONFIG }, name, environment);
  }

  #started(
    enter: readonly string[],
    kubeconfig: Readonly<Record<string, string>>,
    name: string,
    environment: Readonly<Record<string, string>>,
  ): ControllerProcess {
    const [program = '', ...words] = [...enter, process.execPath, root('controller/main.ts')];
    const child = execa(program, words, {
      env: {
        ...kubeconfig,
        POD_NAME: name,
        CRYOPOD_LOG_LEVEL: 'debug',
        CRYOPOD_HEALTH_PORT: '0',
        CRYOPOD_METRICS_PORT: '0',
        ...environment,
      },
      all: true,
      reject: false,
    });
    let log = '';
    child.all.on('data', (chunk: unknown) => {
      log += String(chunk);
    });
    return {
      signal: (signal) => void child.kill(signal),
      ended: child.then(({ exitCode }) => exitCode),
      stop: async (signal) => {
        child.kill(signal);
        return (await child).exitCode;
      },
      log: () => log,
    };
  }

  async close(): Promise<void> {
    this.kube.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  create(kind: Kind, object: RawObject): Promise<RawObject> {
    const apiVersion = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
    const whole = { apiVersion, kind: kind.kind, ...object };
    return this.kube.create(kind, whole, { dryRun: false }, never);
  }

  async read<T>(
    kind: Kind,
    name: string,
    parse: (raw: unknown) => Parsed<T>,
  ): Promise<T | undefined> {
    try {
      const namespace = kind.namespaced ? 'default' : '';
      const parsed = parse(await this.kube.get({ kind, namespace, name }, never));
      if (!parsed.ok) throw new Error(parsed.message);
      return parsed.value;
    } catch (error) {
      if (isFailure(error, 'gone')) return undefined;
      throw error;
    }
  }

  snapshot(name: string): Promise<PodSnapshot | undefined> {
    return this.read(kinds.podSnapshot, name, parsePodSnapshot);
  }

  checkpoint(name: string): Promise<DynamoCheckpoint | undefined> {
    return this.read(kinds.dynamoCheckpoint, name, parseDynamoCheckpoint);
  }

  snapshotJob(name: string): Promise<SnapshotJob | undefined> {
    return this.read(kinds.snapshotJob, name, parseSnapshotJob);
  }

  content(name: string): Promise<PodSnapshotContent | undefined> {
    return this.read(kinds.podSnapshotContent, name, parsePodSnapshotContent);
  }

  /** Waits until `probe` returns something. */
  until<T>(
    what: string,
    probe: () => Promise<T | undefined>,
    deadlineMilliseconds = 40_000,
  ): Promise<T> {
    return this.bed.waitFor(what, probe, deadlineMilliseconds);
  }

  async status(kind: Kind, name: string, status: RawObject): Promise<void> {
    const namespace = kind.namespaced ? 'default' : '';
    const patch = { type: 'merge', body: { status } } as const;
    await this.kube.patch({ kind, namespace, name }, 'status', patch, never);
  }

  async remove(kind: Kind, name: string): Promise<void> {
    const namespace = kind.namespaced ? 'default' : '';
    await this.kube.delete({ kind, namespace, name }, {}, never);
  }

  /** A pod on a node that nobody runs: all that the control plane ever sees of a running one. */
  async pod(name: string, extra: RawObject = {}): Promise<string> {
    await this.create(kinds.pod, {
      metadata: { name, namespace: 'default', ...extra },
      spec: {
        nodeName: 'node-a',
        containers: [{ name: 'main', image: 'sample' }],
        terminationGracePeriodSeconds: 0,
      },
    });
    const raw = await this.kube.get({ kind: kinds.pod, namespace: 'default', name }, never);
    return String((raw.metadata as RawObject).uid);
  }

  /** The requests of a user agent in the audit log that changed something. */
  async writesOf(userAgent: string): Promise<readonly string[]> {
    const lines = (await readFile(this.bed.auditLogPath, 'utf8')).split('\n');
    return lines
      .filter((line) => line.includes(`"userAgent":"${userAgent}`))
      .map((line) => JSON.parse(line))
      .filter(({ verb }) => ['create', 'update', 'patch', 'delete'].includes(verb))
      .map(({ verb, objectRef }) =>
        [verb, objectRef.resource, objectRef.subresource, objectRef.name].filter(Boolean).join(' '),
      );
  }
}

async function controllerKubeconfigs(bed: Bed, directory: string): Promise<void> {
  const words = ['create', 'token', 'cryopod-controller', '-n', 'cryopod-system'];
  const token = (await bed.kubectl(words)).trim();
  const ca = (await readFile(bed.caPath)).toString('base64');
  const config = (server: string) => ({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'bed', cluster: { server, 'certificate-authority-data': ca } }],
    users: [{ name: 'controller', user: { token } }],
    contexts: [{ name: 'bed', context: { cluster: 'bed', user: 'controller' } }],
    'current-context': 'bed',
  });
  for (const [file, server] of [
    ['kubeconfig', bed.server],
    ['hub-kubeconfig', hubServer],
  ] as const) {
    await writeFile(join(directory, file), JSON.stringify(config(server)), { mode: 0o600 });
  }
}

/** Brings everything up; `name` is the bed's. */
export async function controllerWorld(name: string): Promise<ControllerWorld> {
  const bed = await upBed({ name, nodes: 0 });
  await bed.kubectl(['apply', '--server-side', '-k', root('crds')]);
  for (const file of ['namespace', 'controller-rbac']) {
    await bed.kubectl(['apply', '-f', root(`deploy/${file}.yaml`)]);
  }
  const served = ['get', 'podsnap,podsnapcontent,dckpt,snapjob,podrestore', '-A'];
  await bed.waitFor('the kinds', () => bed.kubectl(served).catch(() => undefined), 20_000);
  // Nothing makes service accounts here, and no pod is admitted without one.
  await bed.waitFor(
    'the service account',
    () => bed.kubectl(['create', 'serviceaccount', 'default']).catch(() => undefined),
    20_000,
  );
  const directory = await mkdtemp(join(tmpdir(), 'cryopod-controller-'));
  await controllerKubeconfigs(bed, directory);
  const kube = await connectKube({
    kubeconfigPath: bed.kubeconfigPath,
    requestTimeoutMilliseconds: 10_000,
    userAgent: 'cryopod-test/0',
  });
  return new ControllerWorld(bed, kube, directory);
}
