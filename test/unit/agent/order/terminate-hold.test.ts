import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findCondition } from '../../../../core/api/conditions.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import { captureLeaseName, labels } from '../../../../core/api/names.ts';
import { Failure } from '../../../../core/failure.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { recordAt } from '../../../../runtime/raw-object.ts';
import {
  begin,
  expectNothingHeld,
  expectRunning,
  expectTerminated,
  isOver,
  stepOf,
} from './support/terminated.ts';
import { World } from './support/world.ts';

const never = new AbortController().signal;

describe('a source that stays frozen while its artifact is published', () => {
  let world = new World();
  beforeEach(async () => {
    world = await begin({ freezeBudgetSeconds: 100, deadlineSeconds: 300 });
    world.node.publishMilliseconds = 200_000;
    await world.startAgent();
    await world.until('the publish', () => stepOf(world) === 'holding');
    await world.clock.advance(3000);
  });
  afterEach(() => world.close());

  const ended = async (reason: string): Promise<void> => {
    await world.until(reason, () => isOver(world), 400_000);
    await world.clock.advance(3000);
    expectRunning(world, reason);
    expect(world.node.dumps).toHaveLength(1);
  };

  it('runs on when its budget is over', async () => {
    await ended('FreezeBudgetExceeded');
  });

  it('runs on when the order is cancelled', async () => {
    await world.patchContent({ spec: { cancel: true } });
    await ended('Cancelled');
  });

  it('runs on when CRIU is gone', async () => {
    const [dump] = world.node.dumps;
    if (dump !== undefined) world.node.endDump(dump);
    await ended('CheckpointFailed');
  });

  it('runs on when the store fails', async () => {
    const full = new Failure('terminal', 'StorageFull', 'no space left');
    world.node.publishTrouble = full;
    await ended('StorageFull');
  });

  it('runs on when the lease is lost, and the holder’s artifact is not touched', async () => {
    const name = captureLeaseName(world.content().metadata.uid);
    const key = { kind: kinds.lease, namespace: 'cryopod-system', name };
    const spec = { holderIdentity: 'somebody', leaseTransitions: 7, leaseDurationSeconds: 3600 };
    await world.kube.patch(key, '', { type: 'merge', body: { spec } }, never);
    const theirs = { digest: 'sha256:theirs', sizeBytes: 1, storedBytes: 1, store: 'memory' };
    world.node.references.set(world.content().metadata.uid, theirs);
    await world.until('the thaw', () => !world.node.frozen);
    await world.clock.advance(3000);
    expect(world.node.sourceAlive).toBe(true);
    expect([...world.node.references.values()]).toEqual([theirs]);
    expect(world.node.trace.violations()).toEqual([]);
  });

  it('runs on at the deadline', async () => {
    world.close();
    world = await begin({ deadlineSeconds: 100 });
    world.node.publishMilliseconds = 200_000;
    await world.startAgent();
    await ended('DeadlineExceeded');
  });

  it('runs on when the agent is told to end, and is captured again by the next one', async () => {
    await world.agent?.orders.stop(20_000);
    expect(world.node.frozen).toBe(false);
    world.life?.kill();
    world.node.publishMilliseconds = 100;
    await world.startAgent();
    await world.until('the end', () => isOver(world));
    await world.clock.advance(3000);
    expectTerminated(world);
    expect(world.node.dumps).toHaveLength(2);
  });
});

describe('a source that waits for the decision of an agent', () => {
  let world = new World();
  /** The API server takes no word about the order any more. */
  const away = new Failure('retry', 'ConnectionFailed', 'connection refused');
  beforeEach(async () => {
    world = await begin();
    world.kube.before = (call) => {
      const aboutOrder = !['Lease', 'Pod'].includes(call.kind);
      if (stepOf(world) === 'committing' && aboutOrder) throw away;
    };
    await world.startAgent();
    await world.until('the commit', () => stepOf(world) === 'committing');
    await world.clock.advance(200);
  });
  afterEach(() => world.close());

  const back = (): void => {
    world.kube.before = () => {};
  };
  const over = async (): Promise<void> => {
    await world.until('the end', () => isOver(world), 400_000);
    await world.clock.advance(3000);
  };

  it('is kept as it is while the API server is away, and ended when it is back', async () => {
    await world.clock.advance(300_000);
    expect(world.node.frozen).toBe(true);
    expect(world.node.sourceAlive).toBe(true);
    back();
    await over();
    expectTerminated(world);
    expect(world.node.dumps).toHaveLength(1);
  });

  it('is kept when the agent dies, and ended by the next one', async () => {
    world.life?.kill();
    await world.clock.advance(60_000);
    expect(world.node.frozen).toBe(true);
    back();
    await world.startAgent();
    await over();
    expectTerminated(world);
    expect(world.node.dumps).toHaveLength(1);
  });

  it('is found by an agent that has lost its journal', async () => {
    world.life?.kill();
    world.node.journal.clear();
    back();
    await world.startAgent();
    await over();
    expectTerminated(world);
    expect(world.node.dumps).toHaveLength(1);
  });

  it('is kept when the agent is told to end', async () => {
    await world.agent?.orders.stop(20_000);
    world.life?.kill();
    expect(world.node.frozen).toBe(true);
    back();
    await world.startAgent();
    await over();
    expectTerminated(world);
  });

  it.each([
    ['cancelled', { spec: { cancel: true } }, 'Cancelled'],
    [
      'failed by the controller',
      { status: { stage: 'Failed', conditions: [nodeLost()] } },
      'NodeLost',
    ],
  ])('runs on when the order was %s meanwhile', async (_what, body, reason) => {
    world.life?.kill();
    back();
    if ('status' in body) await world.patchContentStatus(body);
    else await world.patchContent(body);
    await world.startAgent();
    await over();
    if ('spec' in body) expectRunning(world, reason);
    else {
      expect(world.end()).toBe(reason);
      expectNothingHeld(world);
      expect(world.node.sourceAlive).toBe(true);
      expect(world.node.references.size).toBe(0);
    }
  });

  it('runs on when the order was deleted meanwhile, and no bytes stay', async () => {
    world.life?.kill();
    back();
    await world.deleteContent();
    await world.startAgent();
    await world.until('the end', () => world.node.journal.size === 0);
    expectNothingHeld(world);
    expect(world.node.sourceAlive).toBe(true);
    expect(world.node.references.size).toBe(0);
    const { conditions } = world.content().status;
    expect(findCondition(conditions, 'ArtifactDeleted')?.status).toBe('True');
  });

  it('that ran on by itself is captured again: what was published of it is void', async () => {
    world.life?.kill();
    for (const dump of world.node.dumps) world.node.endDump(dump);
    back();
    await world.startAgent();
    await over();
    expectTerminated(world);
    expect(world.node.dumps).toHaveLength(2);
    expect(world.content().status.artifact?.digest).toContain('-2');
  });

  it('and ended with its machine is Ready: it has not run on', async () => {
    world.life?.kill();
    for (const dump of world.node.dumps) world.node.endDump(dump);
    world.node.sourceAlive = false;
    world.node.bootID = 'boot-2';
    back();
    await world.startAgent();
    await over();
    expect(world.end()).toBe('Captured');
    expect(world.content().status.sourceState).toBe('Terminated');
    expect(world.node.dumps).toHaveLength(1);
    expect(world.node.references.size).toBe(1);
  });

  it('is ended also when another order of the pod has taken off the label without which no agent may delete it', async () => {
    const key = { kind: kinds.pod, namespace: 'default', name: 'counter' };
    const body = { metadata: { labels: { [labels.captureEligible]: null } } };
    await world.kube.patch(key, '', { type: 'merge', body }, never);
    world.kube.before = (call) => {
      const metadata = recordAt(world.pod() ?? {}, 'metadata');
      const marked = recordAt(metadata, 'labels')[labels.captureEligible] === 'true';
      if (call.verb === 'delete' && call.kind === 'Pod' && !marked)
        throw new Failure('terminal', 'Forbidden', 'no label');
    };
    await over();
    expectTerminated(world);
  });

  it('is ended with its own pod; one that took its name is left alone', async () => {
    world.life?.kill();
    back();
    await world.deletePod();
    const successor = await world.createPod();
    await world.startAgent();
    await over();
    expect(world.content().status.sourceState).toBe('Terminated');
    expect(world.node.sourceAlive).toBe(false);
    expect(JSON.stringify(world.pod())).toContain(successor);
    expect(world.kube.writes.some((call) => call.verb === 'delete' && call.kind === 'Pod')).toBe(
      true,
    );
  });
});

function nodeLost(): RawObject {
  return {
    type: 'Failed',
    status: 'True',
    reason: 'NodeLost',
    message: 'no word from the node',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
}
