import { stringify } from 'yaml';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import { parsePodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { restoredCondition } from '../../core/api/restore.ts';
import { parsePod } from '../../core/api/workload.ts';
import { parsePodManifest } from '../../core/restore/pod-manifest.ts';
import { shapePlaceholder } from '../../core/restore/shape-placeholder.ts';
import type { Bed } from './bed.ts';

const initImage = 'cryopod.dev/init:dev';
const deadlineMilliseconds = 120_000;
/** How many lines of a restored counter are waited for and shown. */
const shownLines = 3;

/** What the demo of a restore works on. */
export type RestoreDemo = {
  readonly bed: Bed;
  readonly snapshot: PodSnapshot;
  /** Everything the counter had printed when it ended. */
  readonly sourceLog: string;
  readonly say: (line: string) => void;
};

type Source = {
  readonly nodeName: string;
  readonly template: unknown;
  readonly containers: readonly string[];
};

/** Restores the counter on the other node and, once that pod is deleted, on the node where it was captured. Throws when it does not count on. */
export async function showRestores(demo: RestoreDemo): Promise<void> {
  const { bed, say } = demo;
  const source = await sourceOf(demo);
  const last = ticksIn(demo.sourceLog).at(-1) ?? '';
  say(`The source's last word, some time after its capture, on ${source.nodeName}: ${last}`);
  const other = bed.nodes.find((name) => name !== source.nodeName) ?? source.nodeName;
  await showRestore(demo, source, other);
  say('The restored pod is deleted as well: of the counter there is only the snapshot now.');
  await bed.kubectl(['delete', 'pod', podName, '-n', 'default']);
  await showRestore(demo, source, source.nodeName);
}

const podName = 'counter-again';

async function sourceOf({ bed, snapshot }: RestoreDemo): Promise<Source> {
  const bound = snapshot.status.boundSnapshotContentName ?? '';
  const text = await bed.kubectl(['get', 'podsnapshotcontent', bound, '-o', 'json']);
  const content = parsePodSnapshotContent(JSON.parse(text));
  if (!content.ok) throw new Error(content.message);
  const { template, podRef, nodeName = '' } = content.value.spec.source;
  return { nodeName, template, containers: podRef?.containers ?? [] };
}

async function showRestore(demo: RestoreDemo, source: Source, nodeName: string): Promise<void> {
  const { bed, say } = demo;
  say(`kubectl apply: pod ${podName} on ${nodeName} is to be restored from PodSnapshot counter`);
  await bed.apply(placeholder(demo, source, nodeName));
  say(`Restored on ${nodeName}: ${await restored(bed)}`);
  const lines = await bed.waitFor(
    'the restored counter to count',
    async () => {
      const log = await bed.kubectl(['logs', podName, '-n', 'default']).catch(() => '');
      const found = ticksIn(log);
      return found.length >= shownLines ? found : undefined;
    },
    deadlineMilliseconds,
  );
  const shown = lines.slice(0, shownLines).map((line) => `  ${line}\n`);
  console.log(`\n$ kubectl logs ${podName}\n${shown.join('')}`);
  const token = (line: string): string => line.replace(/.*token=/, '');
  const strange = ticksIn(demo.sourceLog).find((line) => token(line) !== token(lines[0] ?? ''));
  if (strange !== undefined) throw new Error(`The counter had another token: ${strange}`);
}

/** The lines `tick NUMBER token=TOKEN` of a log. The token is drawn at the start and kept in memory alone. */
export const ticksIn = (log: string): readonly string[] => log.match(/^tick \d+ token=.*$/gm) ?? [];

function placeholder({ snapshot }: RestoreDemo, source: Source, nodeName: string): string {
  const manifest = parsePodManifest(source.template);
  if (!manifest.ok) throw new Error(manifest.message);
  const { name: snapshotName } = snapshot.metadata;
  const shaped = shapePlaceholder(
    {
      metadata: { name: podName, namespace: 'default' },
      spec: { ...manifest.value.spec, nodeName },
    },
    { snapshotName, containers: source.containers, initImage },
  );
  if (shaped.problems !== undefined) throw new Error(shaped.problems.join('; '));
  return stringify({ apiVersion: 'v1', kind: 'Pod', ...shaped.pod });
}

async function restored(bed: Bed): Promise<string> {
  const [answer, failed] = await bed.waitFor(
    `pod ${podName} to be restored`,
    async () => {
      const text = await bed.kubectl(['get', 'pod', podName, '-n', 'default', '-o', 'json']);
      const pod = parsePod(JSON.parse(text));
      if (!pod.ok) throw new Error(pod.message);
      const found = pod.value.status.conditions.find(({ type }) => type === restoredCondition);
      const given = found?.reason === 'RestoreFailed' || found?.reason === 'RestoreIncompatible';
      return given || found?.status === 'True'
        ? ([String(found.message), given] as const)
        : undefined;
    },
    deadlineMilliseconds,
  );
  if (failed) throw new Error(answer);
  return answer;
}
