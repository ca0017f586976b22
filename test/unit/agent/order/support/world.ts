import { findCondition } from '../../../../../core/api/conditions.ts';
import { kinds } from '../../../../../core/api/kinds.ts';
import { contentName, labels } from '../../../../../core/api/names.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../../../../../core/api/pod-snapshot-content.ts';
import type { RawObject } from '../../../../../runtime/kube-port.ts';
import { identityOf } from '../../../../../runtime/raw-object.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { MemoryKube } from '../../../../support/memory-kube.ts';
import { type FakeAgent, nodeName, startAgent } from './fake-agent.ts';
import { FakeNode } from './fake-node.ts';
import { Mortal } from './mortal.ts';

const never = new AbortController().signal;
const containerID = `containerd://${'a'.repeat(64)}`;

/** A status of the container `main`. */
export const containerStatus = (change: RawObject = {}): RawObject => ({
  name: 'main',
  ready: true,
  containerID,
  restartCount: 0,
  image: 'counter:1',
  imageID: 'sha256:1',
  state: { running: {} },
  ...change,
});

/** A status of the container `side`, which only an order of both captures. */
export const sideStatus = (change: RawObject = {}): RawObject =>
  containerStatus({ name: 'side', containerID: `containerd://${'5'.repeat(64)}`, ...change });

/** What an order of both containers has in its spec. */
export const bothOf = (podUID: string): RawObject => ({
  source: { nodeName, podRef: { name: 'counter', uid: podUID, containers: ['main', 'side'] } },
});

/** An API server, a node, and agents on it that live and die. */
export class World {
  readonly clock = new FakeClock();
  readonly kube = new MemoryKube(this.clock);
  readonly node = new FakeNode(this.clock);
  agent: FakeAgent | undefined;
  life: Mortal | undefined;
  #agents = 0;
  #stop = new AbortController();

  /** Starts the next agent; resolves when its caches are there. `dieAfter`: its last effect. */
  async startAgent(dieAfter = Number.POSITIVE_INFINITY): Promise<Mortal> {
    this.#agents += 1;
    const number = this.#agents;
    const stop = new AbortController();
    this.#stop = stop;
    const life = new Mortal(number, dieAfter, () => {
      this.node.agentDied(number);
      stop.abort(new Error('killed'));
    });
    this.life = life;
    this.agent = undefined;
    startAgent(this.kube, this.node, life, stop.signal).then(
      (agent) => {
        this.agent = agent;
      },
      (error: unknown) => {
        if (!life.dead) throw error;
      },
    );
    await this.clock.advance(10);
    return life;
  }

  /** Ends the caches of the agent, as the process's end does. */
  close(): void {
    this.#stop.abort(new Error('the test is over'));
  }

  async createPod(
    status: RawObject = {},
    metadata: RawObject = {},
    spec: RawObject = {},
  ): Promise<string> {
    const pod = await this.kube.create(
      kinds.pod,
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'counter', namespace: 'default', ...metadata },
        spec: {
          nodeName,
          containers: [
            { name: 'main', image: 'counter:1' },
            { name: 'side', image: 'counter:1' },
          ],
          ...spec,
        },
      },
      { dryRun: false },
      never,
    );
    await this.setPodStatus({
      phase: 'Running',
      containerStatuses: [containerStatus(), sideStatus()],
      ...status,
    });
    return identityOf(pod).uid;
  }

  async setPodStatus(status: RawObject): Promise<void> {
    const key = { kind: kinds.pod, namespace: 'default', name: 'counter' };
    await this.kube.patch(key, 'status', { type: 'merge', body: { status } }, never);
  }

  async deletePod(): Promise<void> {
    await this.kube.delete({ kind: kinds.pod, namespace: 'default', name: 'counter' }, {}, never);
  }

  pod(): RawObject | undefined {
    return this.kube.peek({ kind: kinds.pod, namespace: 'default', name: 'counter' });
  }

  async createContent(podUID: string, spec: RawObject = {}, name = 'one'): Promise<void> {
    await this.kube.create(
      kinds.podSnapshotContent,
      {
        apiVersion: 'nvidia.com/v1alpha1',
        kind: 'PodSnapshotContent',
        metadata: {
          name: contentName(name),
          labels: { [labels.node]: nodeName },
          finalizers: ['nvidia.com/podsnapshotcontent-artifact-cleanup'],
        },
        spec: {
          snapshotRef: { namespace: 'default', name, uid: `snapshot-${name}` },
          source: { nodeName, podRef: { name: 'counter', uid: podUID, containers: ['main'] } },
          ...spec,
        },
      },
      { dryRun: false },
      never,
    );
  }

  async patchContent(body: RawObject, name = 'one'): Promise<void> {
    await this.kube.patch(this.#contentKey(name), '', { type: 'merge', body }, never);
  }

  async patchContentStatus(body: RawObject, name = 'one'): Promise<void> {
    await this.kube.patch(this.#contentKey(name), 'status', { type: 'merge', body }, never);
  }

  async deleteContent(name = 'one'): Promise<void> {
    await this.kube.delete(this.#contentKey(name), {}, never);
  }

  content(name = 'one'): PodSnapshotContent {
    const parsed = parsePodSnapshotContent(this.kube.peek(this.#contentKey(name)));
    if (!parsed.ok) throw new Error(parsed.message);
    return parsed.value;
  }

  /** `Captured`, the reason of a failure, or the stage while neither is True. */
  end(name = 'one'): string {
    const { conditions, stage } = this.content(name).status;
    const failed = findCondition(conditions, 'Failed');
    if (failed?.status === 'True') return failed.reason;
    const ready = findCondition(conditions, 'Ready');
    return ready?.status === 'True' ? ready.reason : stage;
  }

  /** Lets time pass in small steps until `seen`; throws after `limitMilliseconds`. */
  async until(what: string, seen: () => boolean, limitMilliseconds = 120_000): Promise<void> {
    for (let waited = 0; waited < limitMilliseconds; waited += 50) {
      if (seen()) return;
      await this.clock.advance(50);
    }
    throw new Error(`${what} did not come about: ${JSON.stringify(this.content().status)}`);
  }

  #contentKey(name: string) {
    return { kind: kinds.podSnapshotContent, namespace: '', name: contentName(name) };
  }
}
