import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDynamoCheckpoint } from '../../../core/api/dynamo-checkpoint.ts';
import { parsePodSnapshot } from '../../../core/api/pod-snapshot.ts';
import { parsePodSnapshotContent } from '../../../core/api/pod-snapshot-content.ts';
import { isFailureReason } from '../../../core/api/reasons.ts';
import { parseJob, parseLease, parsePod } from '../../../core/api/workload.ts';
import { examples } from './examples.ts';

const snapshot = (spec: Record<string, unknown>): unknown => ({
  metadata: { name: 'counter' },
  spec: { source: { podRef: { name: 'counter', containers: ['main'] } }, ...spec },
});

describe('parsers of our kinds', () => {
  it.each(examples('valid'))('take $file', ({ object, parse }) => {
    expect(parse(object)).toMatchObject({ ok: true });
  });

  it.each(examples('invalid'))('refuse $file', ({ object, parse }) => {
    expect(parse(object)).toMatchObject({ ok: false });
  });

  it('fill in the defaults of the CRD', () => {
    expect(parsePodSnapshot(snapshot({}))).toMatchObject({
      ok: true,
      value: {
        spec: {
          deadlineSeconds: 3600,
          afterCapture: 'Resume',
          tcp: 'Close',
          waitForReady: true,
          deletionPolicy: 'Delete',
          cancel: false,
        },
        status: { stage: 'Pending', conditions: [] },
      },
    });
  });

  it('fill in the defaults of a checkpoint', () => {
    const parsed = parseDynamoCheckpoint({
      metadata: { name: 'counter' },
      spec: { job: { podTemplateSpec: { spec: {} } } },
    });
    expect(parsed).toMatchObject({
      ok: true,
      value: {
        spec: {
          job: {
            targetContainerName: 'main',
            sharedMemory: { disabled: false, size: '8Gi' },
            activeDeadlineSeconds: 3600,
            readiness: 'Sentinel',
          },
        },
      },
    });
  });

  it('keep a pod template as it came, unknown fields and all', () => {
    const podTemplateSpec = {
      spec: { containers: [{ name: 'main', futureField: { deep: [1] } }] },
    };
    const parsed = parseDynamoCheckpoint({
      metadata: { name: 'counter' },
      spec: { job: { podTemplateSpec } },
    });
    expect(parsed).toMatchObject({ ok: true, value: { spec: { job: { podTemplateSpec } } } });
  });

  it('name every offending field at once', () => {
    const parsed = parsePodSnapshot(snapshot({ tcp: 'Keep', deadlineSeconds: 0 }));
    expect(parsed).toMatchObject({ ok: false });
    expect(parsed.ok ? '' : parsed.message).toMatch(/spec\.deadlineSeconds: .*; spec\.tcp: /);
  });

  it('refuse a status with a fraction of a millisecond, as the API server does', () => {
    const parsed = parsePodSnapshot({
      metadata: { name: 'counter' },
      spec: { source: { podRef: { name: 'counter', containers: ['main'] } } },
      status: { freezeMilliseconds: 83.5 },
    });
    expect(parsed).toMatchObject({ ok: false });
  });

  it('never throw, whatever they are given', () => {
    const parsers = [
      parsePodSnapshot,
      parsePodSnapshotContent,
      parseDynamoCheckpoint,
      parsePod,
      parseJob,
      parseLease,
    ];
    return fc.assert(
      fc.property(fc.anything(), fc.constantFrom(...parsers), (raw, parse) => {
        expect(typeof parse(raw).ok).toBe('boolean');
      }),
    );
  });
});

describe('parsers of other kinds', () => {
  it('take a pod that has just been created', () => {
    const parsed = parsePod({ metadata: { name: 'counter' }, spec: { containers: [] } });
    expect(parsed).toMatchObject({
      ok: true,
      value: { status: { phase: 'Unknown', containerStatuses: [] } },
    });
  });

  it('take a Lease whose holder has let go of it', () => {
    const parsed = parseLease({
      metadata: { name: 'cryopod-controller' },
      spec: { holderIdentity: null, leaseTransitions: 4 },
    });
    expect(parsed).toMatchObject({ ok: true, value: { spec: { leaseTransitions: 4 } } });
  });

  it('take a Job without a status', () => {
    expect(parseJob({ metadata: { name: 'job' } })).toMatchObject({
      ok: true,
      value: { status: { conditions: [] } },
    });
  });
});

describe('isFailureReason', () => {
  it('tells the reasons of failures from all other words', () => {
    expect(isFailureReason('CheckpointFailed')).toBe(true);
    expect(isFailureReason('Captured')).toBe(false);
    expect(isFailureReason('toString')).toBe(false);
  });
});
