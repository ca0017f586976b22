import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { type DynamoCheckpoint, parseDynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import { labels } from '../../core/api/names.ts';
import { type PodSnapshot, parsePodSnapshot } from '../../core/api/pod-snapshot.ts';
import { formatBytes, formatMilliseconds } from '../../core/units.ts';
import { type Bed, downBed, upBed } from './bed.ts';
import { installCryopod } from './install.ts';
import { showRestores } from './restore-demo.ts';

const example = 'crds/examples/valid/dynamocheckpoint-counter.yaml';
const deadlineMilliseconds = 300_000;

/** The state of the demo's checkpoint and its snapshot, as `kubectl` shows it. */
type View = {
  readonly checkpoint: DynamoCheckpoint | undefined;
  readonly snapshot: PodSnapshot | undefined;
  /** The source's log; it goes with the Job's pod, so the last one that could be read. */
  readonly log: string;
};

async function observe(bed: Bed, before: string): Promise<View> {
  const text = await bed.kubectl([
    'get',
    'dynamocheckpoints,podsnapshots',
    '-n',
    'default',
    '-o',
    'json',
  ]);
  const list: { items: { kind: string; metadata: { name: string } }[] } = JSON.parse(text);
  const named = (kind: string): unknown =>
    list.items.find((item) => item.kind === kind && item.metadata.name === 'counter');
  const checkpoint = parseDynamoCheckpoint(named('DynamoCheckpoint'));
  const snapshot = parsePodSnapshot(named('PodSnapshot'));
  const selector = `${labels.checkpointSource}=true`;
  const words = ['logs', '-n', 'default', '-l', selector, '--tail=-1'];
  const log = (await bed.kubectl(words).catch(() => '')) || before;
  return {
    log,
    checkpoint: checkpoint.ok ? checkpoint.value : undefined,
    snapshot: snapshot.ok ? snapshot.value : undefined,
  };
}

function viewLine({ checkpoint, snapshot }: View): string {
  const phase = `DynamoCheckpoint ${checkpoint?.status.phase ?? 'Pending'}`;
  if (snapshot === undefined) return `${phase}  ${checkpoint?.status.message ?? ''}`.trim();
  const { stage, progress, conditions } = snapshot.status;
  const waiting = conditions.find((condition) => condition.type === 'Progressing');
  const moved =
    progress === undefined
      ? ''
      : `  ${formatBytes(progress.bytesDone)} of ${formatBytes(progress.bytesTotal)}`;
  return `${phase}  PodSnapshot ${stage}${moved}  ${waiting?.message ?? ''}`.trim();
}

/** Prints a line for each change until the checkpoint has ended. */
async function follow(bed: Bed, say: (line: string) => void): Promise<View> {
  let last = '';
  let log = '';
  return bed.waitFor(
    'the checkpoint to end',
    async () => {
      const view = await observe(bed, log);
      log = view.log;
      const line = viewLine(view);
      if (line !== last) say(line);
      last = line;
      const phase = view.checkpoint?.status.phase;
      return phase === 'Ready' || phase === 'Failed' ? view : undefined;
    },
    deadlineMilliseconds,
  );
}

/** Waits until the Job's pod has ended, as the counter does once it is told that it is captured, and is removed. */
const sourceGone = (bed: Bed): Promise<true> =>
  bed.waitFor(
    "the Job's pod to be gone",
    async () => {
      const words = ['get', 'pods', '-n', 'default', '-l', `${labels.checkpointSource}=true`];
      return (await bed.kubectl([...words, '-o', 'name'])).trim() === '' || undefined;
    },
    deadlineMilliseconds,
  );

async function showArtifact(bed: Bed, snapshot: PodSnapshot): Promise<void> {
  const artifact = snapshot.status.artifact;
  if (artifact === undefined) return;
  const [node] = bed.nodes;
  const store = join(bed.node(node ?? '').rootPath, 'var/lib/cryopod-store');
  const blob = join(store, 'blobs/sha256', artifact.digest.replace('sha256:', ''));
  const manifest: { artifactType?: string; layers: { mediaType: string; size: number }[] } =
    JSON.parse(await readFile(blob, 'utf8'));
  console.log(`\nArtifact ${artifact.digest}\n  type ${manifest.artifactType}`);
  const byType = Map.groupBy(manifest.layers, (layer) => layer.mediaType);
  for (const [mediaType, layers] of byType) {
    const bytes = layers.reduce((sum, layer) => sum + layer.size, 0);
    console.log(
      `  ${String(layers.length).padStart(4)} x ${mediaType.padEnd(60)} ${formatBytes(bytes)}`,
    );
  }
  console.log(
    `  captured ${formatBytes(artifact.sizeBytes)}, stored ${formatBytes(artifact.storedBytes)}, frozen for ${formatMilliseconds(snapshot.status.freezeMilliseconds ?? 0)}`,
  );
}

async function run(options: { readonly keep: boolean; readonly name: string }): Promise<number> {
  const started = performance.now();
  const say = (line: string): void =>
    console.log(`[${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s] ${line}`);
  let ended: number;
  const interrupted = (): void => {
    say('Interrupted: removing the cluster.');
    void downBed(options.name).finally(() => process.exit(130));
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    const bed = await upBed({ name: options.name, nodes: 2, log: say });
    await installCryopod(bed, { log: say });
    say(`kubectl apply -f ${example}`);
    await bed.apply(await readFile(example, 'utf8'));
    const { checkpoint, snapshot, log } = await follow(bed, say);
    console.log(
      `\n$ kubectl get dckpt,podsnap,podsnapcontent -A\n${await bed.kubectl(['get', 'dckpt,podsnap,podsnapcontent', '-A'])}`,
    );
    if (snapshot !== undefined) await showArtifact(bed, snapshot);
    const captured = checkpoint?.status.phase === 'Ready' && snapshot !== undefined;
    say(captured ? 'The counter is captured.' : `Failed: ${checkpoint?.status.message}`);
    if (captured) {
      await sourceGone(bed);
      say('Its Job has ended, its pod is gone.');
      await showRestores({ bed, snapshot, sourceLog: log, say });
    }
    // The nodes' own events, of a cluster that is a minute old, would bury the others.
    const events = (await bed.kubectl(['events', '-n', 'default'])).split('\n');
    const shown = events.filter((line) => !line.includes(' Node/')).join('\n');
    console.log(`\n$ kubectl events -n default | grep -v Node/\n${shown}`);
    ended = captured ? 0 : 1;
    if (options.keep) {
      console.log(`\nThe cluster stays up. Try next:
  export KUBECONFIG=${bed.kubeconfigPath}
  npm run bed -- kubectl --name ${options.name} logs -f counter-again
  npm run bed -- kubectl --name ${options.name} describe podsnapshot counter
  npm run bed -- kubectl --name ${options.name} delete dynamocheckpoint counter    # the bytes go with it
  npm run bed -- down --name ${options.name}`);
      return ended;
    }
    console.log(
      '\nTry next: npm start -- --keep leaves the cluster up; crds/examples/valid has more manifests.',
    );
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    ended = 1;
  }
  await downBed(options.name);
  say('The cluster is gone.');
  return ended;
}

const program = new Command('npm start --')
  .description(
    'Brings up a real two-node cluster, installs Cryopod, captures a counter of 512 MiB and restores it on the other node.',
  )
  .option('--keep', 'leave the cluster up at the end', false)
  .option('--name <bed>', 'name of the cluster', 'start')
  .action(async (options: { keep: boolean; name: string }) => {
    process.exitCode = await run(options);
  });
await program.parseAsync();
