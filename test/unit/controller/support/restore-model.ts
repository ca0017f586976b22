import { expect } from 'vitest';
import { kinds } from '../../../../core/api/kinds.ts';
import { annotations, labels } from '../../../../core/api/names.ts';
import { parsePodRestore } from '../../../../core/api/pod-restore.ts';
import { restoredCondition } from '../../../../core/api/restore.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { identityOf, isRecord, recordAt } from '../../../../runtime/raw-object.ts';
import { breathe, ControllerProcess } from '../model/controller-process.ts';
import { beat } from './cluster.ts';
import { agentSays, isCold, podRestoreManifest, worldWithSnapshot } from './one-pod-restore.ts';
import { Crash, type World } from './world.ts';

/** What may happen; each does nothing where it makes no sense. */
export const steps = [
  'turn',
  'turn',
  'turn',
  'turnThatCrashes',
  'agentTries',
  'agentFails',
  'agentSucceeds',
  'agentSucceedsInTheMiddle',
  'agentSucceedsInTheMiddle',
  'agentSucceedsInTheMiddle',
  'podDeleted',
  'podEnds',
  'snapshotDeleted',
  'restoreDeleted',
  'timePasses',
  'cachesStall',
  'cachesGoOn',
  'restart',
] as const;
type Step = (typeof steps)[number];

const watched = ['Pod', 'PodRestore', 'PodSnapshot', 'Node'] as const;
const restoreKey = { kind: kinds.podRestore, namespace: 'default', name: 'again' };
const podKey = { kind: kinds.pod, namespace: 'default', name: 'again' };

/** One PodRestore with its pod, snapshot and agent, and a controller with its real reflectors, which may lag behind or die at any call. */
export class RestoreModel {
  readonly #world: World;
  readonly #coldAsked: boolean;
  #controller: ControllerProcess;
  /** Pods that their agent said were restored, by UID, and which of these users deleted. */
  readonly #restored = new Set<string>();
  readonly #takenByUsers = new Set<string>();

  private constructor(world: World, coldAsked: boolean, controller: ControllerProcess) {
    this.#world = world;
    this.#coldAsked = coldAsked;
    this.#controller = controller;
  }

  static async make(onFailure: 'Fail' | 'ColdStart'): Promise<RestoreModel> {
    const world = await worldWithSnapshot();
    const spec = { onFailure, maxAttempts: 2, deadlineSeconds: 120 };
    await world.create(kinds.podRestore, podRestoreManifest('again', spec));
    const controller = new ControllerProcess(world.kube, world.clock, () => {});
    await controller.start();
    return new RestoreModel(world, onFailure === 'ColdStart', controller);
  }

  close(): void {
    this.#controller.end();
  }

  async step(name: Step, pick: number): Promise<void> {
    await this.#do(name, pick);
    await breathe();
    this.#check();
  }

  /** Everything works again and time passes: the restore comes to an end, and stays there. */
  async settle(): Promise<void> {
    this.#stall(false);
    for (let round = 0; round < 11; round += 1) {
      this.#controller.resync();
      await this.#turns();
      await this.#world.clock.advance(20_000);
      for (const node of ['node-a', 'node-b']) await beat(this.#world, node, 'shared');
      this.#check();
    }
    const restore = this.#restore();
    if (restore === undefined) return;
    expect(['Restored', 'StartedCold', 'Failed']).toContain(restore.status.phase);
    if (restore.metadata.deletionTimestamp !== undefined) throw new Error('it was not let go');
  }

  async #turns(): Promise<void> {
    for (let turn = 0; turn < 100; turn += 1) {
      await breathe();
      if (!(await this.#controller.turn(0))) return;
    }
  }

  async #do(name: Step, pick: number): Promise<void> {
    const { kube } = this.#world;
    switch (name) {
      case 'turn':
        return void (await this.#controller.turn(pick));
      case 'turnThatCrashes':
        return this.#crash(pick);
      case 'agentTries':
        return this.#says('RestoreInProgress');
      case 'agentFails':
        return this.#says('RestoreFailed');
      case 'agentSucceeds':
        return this.#says('RestoreSucceeded');
      case 'agentSucceedsInTheMiddle':
        return this.#inTheMiddle(pick);
      case 'podDeleted': {
        const uid = identityOf(this.#pod() ?? {}).uid;
        if (uid === '') return;
        this.#takenByUsers.add(uid);
        return this.#world.remove(kinds.pod, 'default', 'again');
      }
      case 'podEnds':
        if (this.#pod() === undefined) return;
        return this.#world.status(kinds.pod, 'default', 'again', { phase: 'Failed' });
      case 'snapshotDeleted':
        if (kube.peek({ ...restoreKey, kind: kinds.podSnapshot, name: 'counter' }) === undefined) {
          return;
        }
        return this.#world.remove(kinds.podSnapshot, 'default', 'counter');
      case 'restoreDeleted':
        if (this.#restore() === undefined) return;
        return this.#world.remove(kinds.podRestore, 'default', 'again');
      case 'timePasses':
        return this.#world.clock.advance(pick * 20_000);
      case 'cachesStall':
        return this.#stall(true, watched[pick % watched.length]);
      case 'cachesGoOn':
        return this.#stall(false);
      case 'restart':
        return this.#restart();
    }
  }

  #stall(on: boolean, only?: string): void {
    for (const kind of watched) {
      if (only !== undefined && only !== kind) continue;
      const gate = this.#controller.kube.gate(kind);
      if (on) gate.close();
      else gate.open();
    }
  }

  async #restart(): Promise<void> {
    this.#controller.end();
    this.#controller = new ControllerProcess(this.#world.kube, this.#world.clock, () => {});
    await this.#controller.start();
  }

  /** Dies before or after one of the calls of a reconcile. */
  async #crash(pick: number): Promise<void> {
    let calls = 0;
    try {
      await this.#controller.turn(0, async () => {
        if (calls++ === pick) throw new Crash('cut');
      });
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      await this.#restart();
    }
  }

  /** The restore succeeds before or after one of the calls of a reconcile. */
  async #inTheMiddle(pick: number): Promise<void> {
    let calls = 0;
    await this.#controller.turn(0, async () => {
      if (calls++ === pick) await this.#says('RestoreSucceeded');
    });
  }

  #pod(): RawObject | undefined {
    return this.#world.kube.peek(podKey);
  }

  #restore() {
    const parsed = parsePodRestore(this.#world.kube.peek(restoreKey));
    return parsed.ok ? parsed.value : undefined;
  }

  /** The agent has a say on placeholders only, and its success is final. */
  async #says(reason: string): Promise<void> {
    const pod = this.#pod();
    const { uid } = identityOf(pod ?? {});
    if (pod === undefined || isCold(pod) || this.#restored.has(uid)) return;
    if (conditionOf(pod)?.reason === 'RestoreFailed') return;
    if (reason === 'RestoreSucceeded') this.#restored.add(uid);
    await agentSays(this.#world, { reason, attempts: 1 });
  }

  #check(): void {
    const pods = this.#world.kube.all(kinds.pod).filter((pod) => {
      return recordAt(recordAt(pod, 'metadata'), 'labels')[labels.restoreUID] !== undefined;
    });
    expect(pods.length, 'one live pod at most').toBeLessThanOrEqual(1);
    const [pod] = pods;
    const restore = this.#restore();
    if (isCold(pod)) {
      expect(this.#coldAsked, 'NoSilentColdStart: nobody asked').toBe(true);
    } else if (pod !== undefined) {
      const marks = recordAt(recordAt(pod, 'metadata'), 'annotations');
      expect(marks[annotations.restoreFrom], 'NoSilentColdStart').toBe('counter');
    }
    for (const uid of this.#restored) {
      if (this.#takenByUsers.has(uid)) continue;
      expect(identityOf(pod ?? {}).uid, 'a restored pod is nobody’s to end').toBe(uid);
    }
    const { phase, podUID } = restore?.status ?? {};
    if (phase === 'Failed') expect(pod, 'Failed leaves no pod').toBeUndefined();
    if (phase === 'StartedCold' && pod !== undefined) {
      expect([identityOf(pod).uid, isCold(pod)]).toEqual([podUID, true]);
    }
    if (phase === 'Restored') expect(this.#restored.has(podUID ?? '')).toBe(true);
  }
}

function conditionOf(pod: RawObject): RawObject | undefined {
  const { conditions } = recordAt(pod, 'status');
  const all = Array.isArray(conditions) ? conditions.filter(isRecord) : [];
  return all.find(({ type }) => type === restoredCondition);
}
