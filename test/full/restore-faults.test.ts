import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pod } from '../../core/api/workload.ts';
import type { Bed } from '../bed/bed.ts';
import { installPrograms, programsDirectory } from '../bench/capture/node.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  firstTick,
  logsOf,
  type Tick,
  waitForEnd,
  waitForTick,
} from '../e2e/cluster.ts';
import { snapshotOf, sourcePod } from '../e2e/workloads.ts';
import { type AgentOnNode, agentOnNode } from './agent-node.ts';
import {
  cacheDirectory,
  controlDirectoryOf,
  counterImage,
  type RestoredPods,
  restoredPods,
} from './restored-pods.ts';

const node = 'node-b';
/** Whoever is looked for is stopped at once, so that everything else happens in the middle of it. */
const stopped = (text: string): string => `pid=$(${programsDirectory}/stop-when '${text}')`;
const inTheLayer = stopped('bundle/tar --extract --file=- --directory=/ ');
const inTheVolume = stopped('bundle/tar --extract --file=- --directory=/own ');
const inCriu = stopped('bundle/criu restore');
const goOn = `for pid in $(pgrep -f '[b]undle/(tar|criu)'); do kill -CONT $pid; done; true`;
const untilLeft = `while pgrep -f '[l]ibexec/cryopod/enter' >/dev/null; do sleep 0.01; done`;

const own = {
  volumes: [{ name: 'own', emptyDir: {} }],
  volumeMounts: [{ name: 'own', mountPath: '/own' }],
};

describe('a fault in the middle of a restore', () => {
  let bed: Bed;
  let namespace: string;
  let pods: RestoredPods;
  let agent: AgentOnNode;
  let captured: Tick;

  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'restore-faults');
    pods = restoredPods(bed, namespace);
    agent = agentOnNode(bed, node);
    await agent.ready();
    const environment = { MEMORY_MEBIBYTES: '64', KEEP_RUNNING: '1', TICK_MILLISECONDS: '200' };
    const source = { name: 'source', namespace, image: counterImage, environment };
    await bed.apply(sourcePod({ ...source, nodeName: 'node-a', emptyDirAt: '/own' }));
    captured = await waitForTick(bed, namespace, 'source');
    const fill = 'for f in /big /own/big; do busybox dd if=/dev/urandom of=$f bs=1M count=32; done';
    await bed.kubectl(['exec', 'source', '-n', namespace, '--', 'sh', '-c', fill]);
    await bed.apply(snapshotOf({ name: 'snapshot', namespace, pod: 'source' }));
    const { status } = await waitForEnd(bed, namespace, 'snapshot', 60_000);
    expect(status.stage, JSON.stringify(status)).toBe('Captured');
    await bed.kubectl(['delete', 'pod', 'source', '-n', namespace]);
    await installPrograms(bed, node, ['stop-when']);
    await agent.script('touch /before-the-faults');
  });
  afterAll(() => deleteNamespace(bed, namespace));

  const create = (name: string, restartPolicy = 'OnFailure'): Promise<Pod> =>
    pods.create(name, { snapshot: 'snapshot', nodeName: node, restartPolicy, ...own });
  /** A new agent without the kubelet's growing pauses between restarts. */
  const renewAgent = async (): Promise<void> => {
    const here = `--field-selector=spec.nodeName=${node}`;
    const agents = ['-n', 'cryopod-system', '-l', 'app.kubernetes.io/component=agent', here];
    await bed.kubectl(['delete', 'pod', ...agents, '--force', '--grace-period=0']);
    await agent.ready();
  };
  const restarts = async (name: string): Promise<number> =>
    (await pods.read(name)).status.containerStatuses[0]?.restartCount ?? 0;
  /** It counts on from the snapshot, is Ready only so, and leaves nothing behind. */
  const goesOn = async (pod: Pod, restarted: number): Promise<void> => {
    const { name } = pod.metadata;
    await pods.says(name, /^True\/RestoreSucceeded/, 120_000);
    const tick = await bed.waitFor(
      `${name} to count`,
      async () => firstTick(await logsOf(bed, namespace, name)),
      30_000,
    );
    expect(tick.token).toBe(captured.token);
    expect(await restarts(name)).toBe(restarted);
    const ready = ['--for=condition=Ready', '--timeout=30s'];
    await bed.kubectl(['wait', `pod/${name}`, '-n', namespace, ...ready]);
    await pods.remove(pod, agent);
  };

  it.each([
    ['fetch', `until compgen -G '${cacheDirectory}/.sha256*'; do sleep 0.002; done`, 0],
    ['files', inTheLayer, 1],
    ['volumes', inTheVolume, 1],
    ['CRIU', inCriu, 1],
  ] as const)(
    'agent killed in the %s: the pod is restored by its successor',
    async (step, reached, restarted) => {
      const name = `killed-${step.toLowerCase()}`;
      if (step === 'fetch') await renewAgent();
      const killed = agent.script(`${reached}; kill -KILL $(agent)`);
      const pod = await create(name);
      await killed;
      await renewAgent();
      await agent.script(goOn);
      await goesOn(pod, restarted);
    },
  );

  it('agent killed when the process runs and nobody has said so: what nobody vouches for is ended, and restored again', async () => {
    const held = agent.script(
      `${inCriu}; kill -STOP $(agent); kill -CONT $pid; ${untilLeft}; kill -KILL $(agent)`,
    );
    const pod = await create('killed-untold');
    await held;
    await renewAgent();
    await goesOn(pod, 1);
  });

  it('API server down, agent killed after the end: the successor tells what was restored, and nothing is done twice', async () => {
    const held = agent.script(inCriu);
    const pod = await create('unheard');
    await held;
    await bed.kill('apiserver');
    const complete = `${controlDirectoryOf(pod.metadata.uid)}/restore-complete`;
    await agent.script(
      `${goOn}; until [ -e ${complete} ]; do sleep 0.01; done; kill -KILL $(agent)`,
    );
    await bed.start('apiserver');
    await goesOn(pod, 0);
  });

  it('placeholder deleted: it is gone within its grace, with everything that worked in it', async () => {
    for (const [index, reached] of [inTheLayer, inCriu].entries()) {
      const held = agent.script(reached);
      const pod = await create(`deleted-${index}`);
      await held;
      await pods.remove(pod, agent);
    }
    await goesOn(await create('after-deletions'), 0);
  });

  it('init of the placeholder killed: the attempt fails, and the next container is restored', async () => {
    const held = agent.script(inCriu);
    const pod = await create('headless');
    await held;
    const ticks = `$(cat ${controlDirectoryOf(pod.metadata.uid)}/placeholder-waiting)`;
    await agent.script(
      `for f in /proc/[0-9]*/stat; do rest=$(sed 's/.*) //' $f 2>/dev/null) || continue; set -- $rest; [ "\${20}" = ${ticks} ] && grep -q '^NSpid:.*[[:space:]]1$' \${f%stat}status && kill -KILL $(basename \${f%/stat}); done; true`,
    );
    await goesOn(pod, 1);
  });

  it('node cache full: it waits and says why, keeps nothing of the fetch, and is restored once there is room', async () => {
    await renewAgent();
    const inside = 'nsenter -t $(agent) -m --';
    await agent.script(
      `${inside} mkdir -p ${cacheDirectory}; ${inside} mount -t tmpfs -o size=40m tmpfs ${cacheDirectory}`,
    );
    const pod = await create('no-room', 'Never');
    await pods.says('no-room', /^False\/RestorePending: .*no space left/, 60_000);
    expect(await agent.script(`${inside} find ${cacheDirectory} -type f`)).toBe('');
    await agent.script(`${inside} mount -o remount,size=1g ${cacheDirectory}`);
    await goesOn(pod, 0);
    await renewAgent();
  });

  it('second agent on the node: it waits for the first, and no placeholder is restored into twice', async () => {
    const log = '/var/log/second-agent.log';
    const second = await agent.script(`pid=$(agent)
      mapfile -d '' -t variables </proc/$pid/environ; mapfile -d '' -t words </proc/$pid/cmdline
      setsid nsenter -t $pid -m -n -- env -i "\${variables[@]}" CRYOPOD_HEALTH_PORT=0 CRYOPOD_METRICS_PORT=0 \\
        sh -c 'cd "$0" && exec "$@"' "$(readlink /proc/$pid/cwd)" "\${words[@]}" >${log} 2>&1 </dev/null & echo $!`);
    try {
      await agent.script(`until grep -q 'the journal is not free yet' ${log}; do sleep 0.05; done`);
      await goesOn(await create('two-agents'), 0);
      expect(await agent.script(`grep -c 'the agent takes orders' ${log} || true`)).toBe('0\n');
    } finally {
      await agent.script(`kill -KILL ${second.trim()} || true; rm -f ${log}`);
    }
  });

  it('CRIU fails each time: three attempts, then no more, each with the reason', async () => {
    const shared = { name: 'shared', hostPath: { path: '/opt/restore-faults', type: 'Directory' } };
    for (const one of bed.nodes) {
      await bed
        .node(one)
        .exec(['sh', '-c', 'mkdir -p /opt/restore-faults; echo 1 >/opt/restore-faults/open']);
    }
    const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];
    const placed = { snapshot: 'opener', nodeName: node, restartPolicy: 'OnFailure' };
    const mounts = { volumes: [shared], volumeMounts };
    await bed.apply(openerPod(namespace, shared));
    await bed.waitFor(
      'the source to have opened its file',
      async () =>
        (await logsOf(bed, namespace, 'opener').catch(() => '')).includes('open') || undefined,
      60_000,
    );
    await bed.apply(snapshotOf({ name: 'opener', namespace, pod: 'opener' }));
    const { status } = await waitForEnd(bed, namespace, 'opener', 60_000);
    expect(status.stage, JSON.stringify(status)).toBe('Captured');
    await bed.kubectl(['delete', 'pod', 'opener', '-n', namespace]);
    await agent.script('rm /opt/restore-faults/open');
    const pod = await pods.create('hopeless', { ...placed, ...mounts });
    await pods.says(
      'hopeless',
      /^False\/RestoreFailed: container main: criu restore: .*open/,
      60_000,
    );
    await pods.says('hopeless', /^False\/RestoreFailed: 3 containers of the pod/, 180_000);
    const attempts = `ls /var/lib/cryopod/restore/work/${pod.metadata.uid} | wc -l`;
    expect((await agent.script(attempts)).trim()).toBe('3');
    await pods.remove(pod, agent);
    await agent.script('echo 1 >/opt/restore-faults/open');
    const mended = await pods.create('mended', { ...placed, ...mounts });
    await pods.says('mended', /^True/, 60_000);
    await pods.remove(mended, agent);
  });

  it('and after all of them nothing outside the directories of agent, kubelet and runtime was written', async () => {
    const kept = [
      '/proc',
      '/sys',
      '/dev',
      '/run',
      '/tmp',
      '/var/log',
      '/var/lib/cni',
      '/opt/restore-faults',
    ];
    const prune = kept.map((path) => `-path ${path} -prune -o`).join(' ');
    const find = `find / -xdev ${prune} -newer /before-the-faults -not -type d -print`;
    expect(await agent.script(`${find}; rm /before-the-faults`)).toBe('');
    expect(await agent.script('ls /var/lib/cryopod/restore/work')).toBe('');
    await goesOn(await create('after-all'), 0);
  });
});

const openerPod = (namespace: string, volume: object): string => {
  const command = ['sh', '-c', 'exec 3</shared/open; echo open; while true; do sleep 1; done'];
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'opener', namespace },
    spec: {
      nodeName: 'node-a',
      terminationGracePeriodSeconds: 1,
      restartPolicy: 'Never',
      volumes: [{ name: 'snapshot-control', emptyDir: {} }, volume],
      containers: [
        {
          ...{ name: 'main', image: counterImage, imagePullPolicy: 'Never', command },
          volumeMounts: [
            { name: 'snapshot-control', mountPath: '/snapshot-control', subPath: 'main' },
            { name: 'shared', mountPath: '/shared' },
          ],
        },
      ],
    },
  });
};
