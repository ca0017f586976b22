import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import { captureLeaseName } from '../../../core/api/names.ts';
import type { Course } from './hops.ts';
import { namespace } from './objects.ts';

const lineSchema = z.object({
  verb: z.string(),
  requestReceivedTimestamp: z.string(),
  user: z.object({ username: z.string() }),
  userAgent: z.string().default(''),
  objectRef: z
    .object({
      resource: z.string().default(''),
      subresource: z.string().default(''),
      name: z.string().default(''),
      namespace: z.string().default(''),
    })
    .prefault({}),
  responseStatus: z.object({ code: z.number().default(0) }).prefault({}),
});
type Line = z.infer<typeof lineSchema>;

/** Every line of the audit log, those that the API server has put aside by now included. */
async function* auditLines(path: string): AsyncGenerator<Line> {
  const stem = basename(path, '.log');
  const files = (await readdir(dirname(path)))
    .filter((name) => name.startsWith(stem) && name.endsWith('.log'))
    .sort();
  for (const file of files) {
    const lines = createInterface({ input: createReadStream(join(dirname(path), file)) });
    for await (const line of lines) yield lineSchema.parse(JSON.parse(line));
  }
}

/** What the API server says was asked of it from a moment of its own clock on. */
export type AuditFigures = {
  /** Successful writes for each snapshot, averaged: those that every capture makes. */
  readonly writesToReady: number;
  readonly writesInAll: number;
  /** Counted apart, as they grow with the time a capture takes: stages shown and renewals of its lease. */
  readonly stageWrites: number;
  readonly renewals: number;
  readonly events: number;
  /** Of those writes, by `verb resource/subresource` and the account that made them. */
  readonly byKind: Readonly<Record<string, number>>;
  /** Lists that the controller asked for. */
  readonly controllerLists: number;
  /** Requests of any kind, for each second. */
  readonly requestsPerSecond: number;
  readonly refused: number;
  /** Those by `code verb resource/subresource` and account. */
  readonly refusedByKind: Readonly<Record<string, number>>;
  /** Every request by `verb resource/subresource`, for each snapshot. */
  readonly requestsByKind: Readonly<Record<string, number>>;
};

const writeVerbs = ['create', 'update', 'patch', 'delete'];

/** Reads the audit log. `from`: wall clock of this machine, which is the API server's too. */
export async function auditFigures(
  path: string,
  courses: ReadonlyMap<string, Course>,
  from: Date,
): Promise<AuditFigures> {
  const contentUIDs = [...courses.values()].map(({ contentUID = '' }) => contentUID);
  const leases = new Set(contentUIDs.map(captureLeaseName));
  const byKind: Record<string, number> = {};
  const refusedByKind: Record<string, number> = {};
  const requestsByKind: Record<string, number> = {};
  let [lists, requests, refused, events] = [0, 0, 0, 0];
  let last = from.getTime();
  const add = (to: Record<string, number>, what: string): void => {
    to[what] = (to[what] ?? 0) + 1;
  };
  for await (const line of auditLines(path)) {
    const at = Date.parse(line.requestReceivedTimestamp);
    if (at < from.getTime()) continue;
    last = Math.max(last, at);
    requests += 1;
    const { resource, subresource, name, namespace: place } = line.objectRef;
    const account = line.user.username.split(':').at(-1) ?? '';
    if (line.verb === 'list' && line.userAgent.startsWith('cryopod-controller')) lists += 1;
    const what = `${line.verb} ${resource}${subresource && `/${subresource}`}`;
    add(requestsByKind, what);
    if (!writeVerbs.includes(line.verb)) continue;
    if (line.responseStatus.code >= 300) {
      refused += 1;
      add(refusedByKind, `${line.responseStatus.code} ${what} ${account}`);
      continue;
    }
    if (resource === 'events') events += 1;
    const ours =
      (resource === 'podsnapshots' && place === namespace) ||
      (resource === 'podsnapshotcontents' && courses.has(name)) ||
      (resource === 'leases' && leases.has(name)) ||
      (resource === 'pods' && place === namespace && account === 'cryopod-agent');
    if (ours) add(byKind, `${what} ${account}`);
  }
  const count = courses.size;
  const of = (what: string): number => byKind[what] ?? 0;
  const total = Object.values(byKind).reduce((sum, one) => sum + one, 0);
  // As test/e2e/write-budget: one status of the content, two of the snapshot and one patch of the lease belong to every capture.
  const beyond = (what: string, own: number): number => Math.max(0, of(what) - own * count);
  const contentStages = beyond('patch podsnapshotcontents/status cryopod-agent', 1);
  const snapshotStages = beyond('patch podsnapshots/status cryopod-controller', 2);
  const renewals = beyond('patch leases cryopod-agent', 1);
  const writes = total - contentStages - snapshotStages - renewals;
  // After Ready come the label taken off and the lease given back.
  const afterReady =
    of('patch pods cryopod-agent') / 2 + Math.min(count, of('patch leases cryopod-agent'));
  // Whole numbers up to here: a share that is not one in binary would miss a goal by its last digit.
  return {
    writesInAll: writes / count,
    writesToReady: (writes - afterReady) / count,
    stageWrites: (contentStages + snapshotStages) / count,
    renewals: renewals / count,
    events: events / count,
    byKind: eachOf(byKind, count),
    refusedByKind,
    requestsByKind: eachOf(requestsByKind, count),
    controllerLists: lists,
    requestsPerSecond: requests / Math.max(1, (last - from.getTime()) / 1000),
    refused,
  };
}

const eachOf = (counts: Readonly<Record<string, number>>, count: number): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).map(([what, n]) => [what, n / count]));
