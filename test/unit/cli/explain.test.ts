import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Preflight } from '../../../agent/capture/backend.ts';
import { checkRequest } from '../../../agent/capture/check-request.ts';
import { startExplanations } from '../../../agent/explain/explanations.ts';
import { FreezeOutlook } from '../../../agent/order/freeze-outlook.ts';
import { kinds } from '../../../core/api/kinds.ts';
import { systemClock } from '../../../core/clock.ts';
import { Failure } from '../../../core/failure.ts';
import type { RawObject } from '../../../runtime/kube-port.ts';
import { silentLog } from '../../../runtime/log.ts';
import { silentReflectorObserver } from '../../../runtime/reflector.ts';
import { silentQueueObserver } from '../../../runtime/work-queue.ts';
import { MemoryKube } from '../../support/memory-kube.ts';
import { runCliInProcess } from '../../support/run-cli.ts';

const found: Preflight = {
  blockers: [],
  estimatedBytes: 2 ** 30,
  outlook: {
    captured: [{ what: 'main: memory of 2 processes', bytes: 2 ** 30 }],
    lost: ['main: process 7 (sh), descriptor 3: TCP 10.0.0.1:80 to 10.0.0.2:4711'],
  },
};

let kube: MemoryKube;
let node: { preflight: Preflight };
let stop: AbortController;
let agent: Promise<void> | undefined;
beforeEach(async () => {
  kube = new MemoryKube();
  node = { preflight: found };
  stop = new AbortController();
  agent = undefined;
});
afterEach(async () => {
  stop.abort(new Error('the test is over'));
  await agent;
});

/** The agent of node-a, with a node behind it that says what the test wants. */
function startAgent(): void {
  const unused = async (): Promise<never> => {
    throw new Error('an explanation must not do this');
  };
  const explanations = startExplanations(
    {
      ...{ kube, clock: systemClock, random: Math.random, log: silentLog, nodeName: 'node-a' },
      backend: {
        preflight: async () => node.preflight,
        ...{ probe: unused, start: unused, settle: unused },
        ...{ isCommitted: unused, decide: unused, findLeft: unused },
      },
      sources: {
        resolve: async (_, names) =>
          names.map((name) => ({ name, containerID: '', root: { pid: 7, startTicks: 1 } })),
        tell: unused,
      },
      staging: {
        pathOf: (uid, attempt) => `/staging/${uid}-${attempt}`,
        ...{ create: unused, list: unused, files: unused, drop: unused },
        ...{ note: unused, noted: unused },
      },
      refusals: (content) => checkRequest(content.spec).map(({ message }) => message),
      freezeOutlook: new FreezeOutlook(),
    },
    { reflector: silentReflectorObserver, queue: silentQueueObserver },
  );
  agent = explanations.run(stop.signal);
}

async function createPod(spec: RawObject = {}): Promise<void> {
  const { signal } = stop;
  const metadata = { name: 'web', namespace: 'team' };
  const raw = {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata },
    spec: { nodeName: 'node-a', containers: [{ name: 'main' }], ...spec },
  };
  await kube.create(kinds.pod, raw, { dryRun: false }, signal);
  const status = {
    phase: 'Running',
    containerStatuses: [
      { name: 'main', containerID: `containerd://${'a'.repeat(64)}`, state: { running: {} } },
    ],
  };
  const key = { kind: kinds.pod, namespace: 'team', name: 'web' };
  await kube.patch(key, 'status', { type: 'merge', body: { status } }, signal);
}

const explain = (...words: readonly string[]) =>
  runCliInProcess(['explain', ...words], { kube, namespace: 'team', signal: stop.signal });

const left = async (): Promise<number> =>
  (await kube.list({ kind: kinds.podSnapshotExplanation, limit: 10 }, stop.signal)).items.length;

it('says what a capture would take, how long it would be and what would be lost', async () => {
  startAgent();
  await createPod();
  const { code, printed } = await explain('pod/web');
  expect(code).toBe(0);
  expect(printed).toMatch(/^Answer: +can be captured$/m);
  expect(printed).toMatch(/^Size: +1.0 GiB at most$/m);
  expect(printed).toMatch(/^Freeze: +about 5.9 s$/m);
  expect(printed).toMatch(/^main: memory of 2 processes +1.0 GiB$/m);
  expect(printed).toMatch(/LOST IN A RESTORE\n.*10.0.0.2:4711$/m);
  expect(await left()).toBe(0);
});

it('lists everything in the way, with another exit code', async () => {
  startAgent();
  const livenessProbe = { httpGet: { path: '/' }, failureThreshold: 1 };
  await createPod({ containers: [{ name: 'main', livenessProbe }] });
  const message = 'process 7 (sh), descriptor 9 is an io_uring';
  node.preflight = { ...found, blockers: [{ check: 'ioUring', message }] };
  const { code, printed } = await explain('pod/web', '-o', 'json', '--tcp', 'Refuse');
  expect(code).toBe(6);
  const said = JSON.parse(printed);
  expect(said).toMatchObject({ pod: 'team/web', nodeName: 'node-a', answer: 'Blocked' });
  const checks = said.blockers.map(({ check }: { readonly check: string }) => check);
  expect(checks).toEqual(expect.arrayContaining(['ioUring', 'livenessProbe']));
  const { printed: shown } = await explain('web', '-n', 'team');
  expect(shown).toMatch(/^ioUring +process 7 \(sh\), descriptor 9 is an io_uring$/m);
});

it('says why a pod of the node’s namespaces is not even looked at', async () => {
  startAgent();
  await createPod({ hostPID: true });
  const { code, printed } = await explain('po/web');
  expect(code).toBe(6);
  expect(printed).toMatch(/sharedNamespaces +the pod uses hostPID/);
});

it.each([
  ['3 for a pod that is not there', 'pod/wbe', 3, /wbe.*\n.*Did you mean web\?/],
  ['2 for another kind', 'deployment/web', 2, /must be pod\/NAME/],
])('ends with %s', async (_, word, expected, complaint) => {
  startAgent();
  await createPod();
  const { code, complaints } = await explain(word);
  expect(code).toBe(expected);
  expect(complaints).toMatch(complaint);
});

it('a container that does not exist is unknown, and named', async () => {
  startAgent();
  await createPod();
  const { code, printed } = await explain('pod/web', '-c', 'nope');
  expect(code).toBe(1);
  expect(printed).toMatch(/unknown: .*nope/);
});

it('waits for an agent no longer than it is told, and leaves nothing behind', async () => {
  await createPod();
  const { code, complaints } = await explain('pod/web', '--timeout', '1s');
  expect(code).toBe(5);
  expect(complaints).toContain('the agent of node node-a did not answer within 1 s');
  expect(await left()).toBe(0);
});

it('passes on what the API server refuses', async () => {
  await createPod();
  kube.before = ({ verb, kind }) => {
    if (verb === 'create' && kind === 'PodSnapshotExplanation') {
      throw new Failure('terminal', 'Forbidden', 'needs the right to create pods/exec');
    }
  };
  const { code, complaints } = await explain('pod/web');
  expect(code).toBe(4);
  expect(complaints).toContain('needs the right to create pods/exec');
});
