import type { Kind } from '../../../../core/api/kinds.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { MemoryKube } from '../../../support/memory-kube.ts';
import { runCliInProcess } from '../../../support/run-cli.ts';

const { signal } = new AbortController();

/** A condition as the API server holds it. */
export const condition = (type: string, status: string, reason: string, message = '') => ({
  ...{ type, status, reason, message },
  lastTransitionTime: '2026-01-02T03:04:05Z',
});

/** A status of a capture that succeeded. */
export const readyStatus = {
  conditions: [
    condition('Ready', 'True', 'Captured', 'captured'),
    condition('Failed', 'False', 'Captured'),
  ],
  ...{ stage: 'Captured', nodeName: 'node-a', sourceState: 'Running', freezeMilliseconds: 1035 },
  stageMilliseconds: { queued: 0, preparing: 120, freezing: 1035, publishing: 900 },
  artifact: {
    ...{ digest: `sha256:${'ab'.repeat(32)}`, store: 'dir' },
    ...{ sizeBytes: 537_020_928, storedBytes: 1_048_576 },
  },
};

/** A status of one that failed. */
export const failedStatus = (reason: string, message: string) => ({
  conditions: [
    condition('Ready', 'False', reason, message),
    condition('Failed', 'True', reason, message),
  ],
  ...{ stage: 'Failed', nodeName: 'node-a', sourceState: 'Running' },
});

/** A cluster in memory with one pod `web` of two containers in the namespace `team`, and the command line before it. */
export class CliWorld {
  readonly kube = new MemoryKube();

  static async open(): Promise<CliWorld> {
    const world = new CliWorld();
    await world.create(kinds.pod, 'web', {
      nodeName: 'node-a',
      containers: [{ name: 'main' }, { name: 'side' }],
    });
    return world;
  }

  run(words: readonly string[], given: Parameters<typeof runCliInProcess>[1] = {}) {
    return runCliInProcess(words, { kube: this.kube, namespace: 'team', ...given });
  }

  async create(kind: Kind, name: string, spec: RawObject, status?: RawObject): Promise<void> {
    const apiVersion = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
    const object = { apiVersion, kind: kind.kind, metadata: { name, namespace: 'team' }, spec };
    await this.kube.create(kind, object, { dryRun: false }, signal);
    if (status !== undefined) await this.status(kind, name, status);
  }

  async status(kind: Kind, name: string, status: RawObject): Promise<void> {
    const key = { kind, namespace: 'team', name };
    await this.kube.patch(key, 'status', { type: 'merge', body: { status } }, signal);
  }

  snapshot(name: string, status?: RawObject, spec: RawObject = {}): Promise<void> {
    const source = { podRef: { name: 'web', uid: 'uid-1', containers: ['main'] } };
    return this.create(kinds.podSnapshot, name, { source, ...spec }, status);
  }

  restore(name: string, status?: RawObject): Promise<void> {
    return this.create(kinds.podRestore, name, { snapshotName: 'one' }, status);
  }

  /** Calls `then` once, right after the first read of what follows is over: as a controller that works while somebody waits. */
  async onceWatched(then: () => Promise<void>): Promise<void> {
    const before = this.kube.before;
    this.kube.before = async (call) => {
      await before(call);
      if (call.verb !== 'watch') return;
      this.kube.before = before;
      queueMicrotask(() => void then());
    };
  }
}
