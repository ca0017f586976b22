import { stringify } from 'yaml';
import { isTrue } from '../../core/api/conditions.ts';
import { parsePodRestore } from '../../core/api/pod-restore.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { Bed } from './bed.ts';

const name = 'counter-again';
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

/** Restores the counter on the other node and, once that pod is deleted, on the node where it was captured. Throws when it does not count on. */
export async function showRestores(demo: RestoreDemo): Promise<void> {
  const { bed, say, snapshot, sourceLog } = demo;
  const { nodeName = '' } = snapshot.status;
  say(`The source's last word, on ${nodeName}: ${ticksIn(sourceLog).at(-1) ?? ''}`);
  await showRestore(demo, bed.nodes.find((node) => node !== nodeName) ?? nodeName);
  say('The restored pod is deleted as well: of the counter there is only the snapshot now.');
  const restored = [`podrestore/${name}`, `pod/${name}`];
  await bed.kubectl(['delete', ...restored, '-n', 'default', '--ignore-not-found']);
  await showRestore(demo, nodeName);
}

async function showRestore(demo: RestoreDemo, nodeName: string): Promise<void> {
  const { bed, say, snapshot } = demo;
  const snapshotName = snapshot.metadata.name;
  say(`kubectl apply: PodRestore ${name} of PodSnapshot ${snapshotName}, on ${nodeName}`);
  const nodeSelector = { 'kubernetes.io/hostname': nodeName };
  await bed.apply(
    stringify({
      apiVersion: 'cryopod.dev/v1alpha1',
      kind: 'PodRestore',
      metadata: { name, namespace: 'default' },
      spec: { snapshotName, podName: name, nodeSelector },
    }),
  );
  await follow(demo);
  const lines = await bed.waitFor(
    'the restored counter to count',
    async () => {
      const log = await bed.kubectl(['logs', name, '-n', 'default']).catch(() => '');
      const found = ticksIn(log);
      return found.length >= shownLines ? found : undefined;
    },
    deadlineMilliseconds,
  );
  const shown = lines.slice(0, shownLines).map((line) => `  ${line}\n`);
  console.log(`\n$ kubectl get podrestores\n${await bed.kubectl(['get', 'podrestores'])}`);
  console.log(`$ kubectl logs ${name}\n${shown.join('')}`);
  const token = (line: string): string => line.replace(/.*token=/, '');
  const strange = ticksIn(demo.sourceLog).find((line) => token(line) !== token(lines[0] ?? ''));
  if (strange !== undefined) throw new Error(`The counter had another token: ${strange}`);
}

/** The lines `tick NUMBER token=TOKEN` of a log. The token is drawn at the start and kept in memory alone. */
export const ticksIn = (log: string): readonly string[] => log.match(/^tick \d+ token=.*$/gm) ?? [];

/** Prints a line for each change until it is restored. Throws with the reason when it has failed. */
async function follow({ bed, say }: RestoreDemo): Promise<void> {
  let last = '';
  const failed = await bed.waitFor(
    `PodRestore ${name} to end`,
    async () => {
      const text = await bed.kubectl(['get', 'podrestore', name, '-n', 'default', '-o', 'json']);
      const parsed = parsePodRestore(JSON.parse(text));
      if (!parsed.ok) throw new Error(parsed.message);
      const { phase, nodeName, conditions } = parsed.value.status;
      const newest = conditions.find(({ type }) => type === 'Progressing') ?? conditions.at(0);
      const line = `PodRestore ${phase ?? 'Pending'}  ${nodeName ?? ''}  ${newest?.message ?? ''}`;
      if (line !== last) say(line.trim());
      last = line;
      if (isTrue(conditions, 'Failed')) return line;
      return isTrue(conditions, 'Ready') ? '' : undefined;
    },
    deadlineMilliseconds,
  );
  if (failed !== '') throw new Error(failed);
}
