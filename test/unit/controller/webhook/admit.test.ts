import { beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { patchTo } from '../../../../controller/webhook/admission-review.ts';
import { admit } from '../../../../controller/webhook/admit.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import { Failure } from '../../../../core/failure.ts';
import { shapePlaceholder } from '../../../../core/restore/shape-placeholder.ts';
import { createLog } from '../../../../runtime/log.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { MemoryKube } from '../../../support/memory-kube.ts';
import { applyPatch } from '../../../support/object-patch.ts';

const never = new AbortController().signal;
const condition = (type: string) => ({ type, status: 'True', reason: 'Captured' });
let clock: FakeClock;
let kube: MemoryKube;
let outcomes: string[];

beforeEach(() => {
  clock = new FakeClock();
  kube = new MemoryKube(clock);
  outcomes = [];
});

/** A snapshot of container main in namespace one, Ready with its content unless told otherwise. */
async function snapshot(status: object = { conditions: [condition('Ready')] }): Promise<void> {
  const podRef = { name: 'source', containers: ['main'] };
  const made = await kube.create(
    kinds.podSnapshot,
    { metadata: { name: 'saved', namespace: 'one' }, spec: { source: { podRef } } },
    { dryRun: false },
    never,
  );
  const { uid } = z.object({ uid: z.string() }).parse(made.metadata);
  const bound = { boundSnapshotContentName: 'content', ...status };
  const key = { kind: kinds.podSnapshot, namespace: 'one', name: 'saved' };
  await kube.patch(key, 'status', { type: 'merge', body: { status: bound } }, never);
  const source = { podRef: { ...podRef, uid: 'pod-uid' }, nodeName: 'node-a' };
  await kube.create(
    kinds.podSnapshotContent,
    {
      metadata: { name: 'content' },
      spec: { snapshotRef: { namespace: 'one', name: 'saved', uid }, source },
    },
    { dryRun: false },
    never,
  );
  const artifact = { digest: `sha256:${'0'.repeat(64)}`, sizeBytes: 1, storedBytes: 1, store: 's' };
  const content = { kind: kinds.podSnapshotContent, namespace: '', name: 'content' };
  await kube.patch(content, 'status', { type: 'merge', body: { status: { artifact } } }, never);
}

const pod = {
  metadata: {
    generateName: 'web-',
    annotations: { 'nvidia.com/restore-from': 'saved' },
    labels: { app: 'web' },
  },
  spec: {
    containers: [{ name: 'main', image: 'app', args: ['x'], novel: { field: 1 } }],
    dnsPolicy: 'Default',
  },
};
const review = (request: object = {}) => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    ...{ uid: 'u1', operation: 'CREATE', namespace: 'one', dryRun: true, object: pod },
    resource: { group: '', version: 'v1', resource: 'pods' },
    ...request,
  },
});
const answerSchema = z.object({
  apiVersion: z.literal('admission.k8s.io/v1'),
  kind: z.literal('AdmissionReview'),
  response: z.looseObject({
    uid: z.literal('u1'),
    allowed: z.boolean(),
    patch: z.string().optional(),
    status: z.looseObject({ code: z.number(), message: z.string() }).optional(),
  }),
});
const ask = (body: string) => {
  const log = createLog({ name: 'test', level: 'silent' });
  const metrics = { answered: (outcome: string) => void outcomes.push(outcome) };
  return admit({ kube, clock, log, metrics, initImage: 'init:1' }, body, never);
};
const answer = async (request: object = {}) => {
  const { body, code } = await ask(JSON.stringify(review(request)));
  expect(code).toBe(200);
  return answerSchema.parse(JSON.parse(body)).response;
};

describe('the answer about a pod', () => {
  it('patches it into a placeholder, keeps what nobody here knows, and writes nothing', async () => {
    await snapshot();
    const writes = kube.writes.length;
    const { allowed, patch = '' } = await answer();
    expect(allowed).toBe(true);
    const body = JSON.parse(Buffer.from(patch, 'base64').toString());
    const facts = { snapshotName: 'saved', containers: ['main'], initImage: 'init:1' };
    const shaped = applyPatch(pod, { type: 'json', body });
    expect(shaped).toEqual(shapePlaceholder(pod, facts).pod);
    expect(shaped).toMatchObject({ spec: { containers: [{ novel: { field: 1 } }] } });
    expect(kube.writes).toHaveLength(writes);
    expect(outcomes).toEqual(['shaped']);
  });

  it.each([
    ['is not Ready yet', { conditions: [] }, 'PodSnapshot saved is not Ready yet'],
    ['has failed', { conditions: [condition('Failed')] }, 'PodSnapshot saved has failed'],
  ])('refuses one whose snapshot %s', async (_, status, said) => {
    await snapshot(status);
    const { allowed, status: refusal } = await answer();
    expect(allowed).toBe(false);
    expect(refusal).toMatchObject({ code: 403, message: expect.stringContaining(said) });
    expect(outcomes).toEqual(['refused']);
  });

  it('refuses one whose snapshot is in another namespace only', async () => {
    await snapshot();
    const { status } = await answer({ namespace: 'two' });
    expect(status?.message).toContain('PodSnapshot saved does not exist in namespace two');
  });

  it('is that one should try again when the API server does not tell, and comes in time', async () => {
    await snapshot();
    kube.before = () => new Promise(() => {});
    const asked = answer();
    await clock.advance(3_000);
    const { allowed, status } = await asked;
    expect(allowed).toBe(false);
    expect(status).toMatchObject({
      code: 503,
      message: expect.stringContaining('no answer within 3000 ms'),
    });
    expect(outcomes).toEqual(['unread']);
  });

  it('is that one should try again when the API server fails', async () => {
    kube.before = () => {
      throw new Failure('retry', 'ServerError', 'the server is in trouble');
    };
    expect((await answer()).status).toMatchObject({ code: 503 });
  });

  it.each(['../../pods/x', 'other/saved', ''])(
    'looks nothing up for a name like "%s"',
    async (name) => {
      const metadata = { annotations: { 'nvidia.com/restore-from': name } };
      const { status } = await answer({ object: { ...pod, metadata } });
      expect(status?.message).toContain('is no name of a PodSnapshot');
      expect(kube.calls).toEqual([]);
    },
  );

  it.each([
    ['has no such annotation', { object: { ...pod, metadata: {} } }],
    ['is there already', { operation: 'UPDATE' }],
    ['is something else', { resource: { group: 'apps', resource: 'deployments' } }],
    ['is only bound', { subResource: 'binding' }],
  ])('leaves one alone that %s', async (_, request) => {
    expect(await answer(request)).toEqual({ uid: 'u1', allowed: true });
    expect(kube.calls).toEqual([]);
  });
});

it.each([
  '',
  '{',
  '[]',
  '{"kind":"AdmissionReview"}',
  JSON.stringify({ ...review(), apiVersion: 'v2' }),
])('a call that is no AdmissionReview is told so: %s', async (body) => {
  const { body: said, code } = await ask(body);
  expect(code).toBe(400);
  expect(said).toContain('no AdmissionReview');
  expect(outcomes).toEqual(['invalid']);
});

it('a patch escapes names of fields and removes what is gone', () => {
  const patch = patchTo(
    { spec: { containers: [], 'a/b~c': 1, gone: 2 } },
    { metadata: {}, spec: { containers: [{ name: 'm' }], 'a/b~c': 2 } },
  );
  expect(patch).toEqual([
    { op: 'add', path: '/spec/containers', value: [{ name: 'm' }] },
    { op: 'add', path: '/spec/a~1b~0c', value: 2 },
    { op: 'remove', path: '/spec/gone' },
  ]);
});
