import { publishedArtifact } from '../../../agent/artifact/published.ts';
import { type Artifact, readArtifact } from '../../../agent/artifact/read.ts';
import {
  type LayerStatistics,
  layerStatistics,
  sharedBytes,
} from '../../../agent/artifact/statistics.ts';
import type { ReferenceKey, SnapshotStore } from '../../../agent/store/store.ts';
import { formatBytes, formatMilliseconds } from '../../../core/units.ts';
import { json, printable, table } from '../../table.ts';
import { type ExitCode, exitCodes, type Terminal } from '../../terminal.ts';
import { findSnapshot, nameOf } from './snapshot-name.ts';

/** `artifact show`: what an artifact says about itself and where its bytes go. Reads the documents, not the layers. */
export async function showArtifact(
  store: SnapshotStore,
  name: string,
  options: { readonly output: 'table' | 'json' },
  { output, signal }: Terminal,
): Promise<ExitCode> {
  const key = await findSnapshot(store, name, signal);
  const artifact = await readArtifact(store, key, signal);
  const shared = await sharedBytes(store, key, artifact, signal);
  const facts = factsOf(key, artifact, shared);
  output.write(options.output === 'json' ? json(facts) : asText(facts));
  return exitCodes.done;
}

type Facts = ReturnType<typeof factsOf>;

/** Everything but the lists of chunks, which are as long as the memory. */
function factsOf(key: ReferenceKey, artifact: Artifact, shared: number | undefined) {
  const { reference, manifest, config } = artifact;
  const layers = layerStatistics(config);
  const sum = (pick: (layer: LayerStatistics) => number): number =>
    layers.reduce((total, layer) => total + pick(layer), 0);
  const { digest, size } = reference;
  const { sizeBytes, storedBytes } = publishedArtifact(digest, size, manifest, config);
  return {
    ...key,
    digest,
    manifestBytes: size,
    fence: reference.fence,
    snapshot: config.snapshot,
    pod: config.pod,
    node: config.node,
    network: config.network,
    options: config.options,
    containers: config.containers.map(({ criu, memory, rootfs, volumes, ...container }) => ({
      ...container,
      memoryFiles: memory.map(({ file, sizeBytes: bytes }) => ({ file, sizeBytes: bytes })),
      volumes: volumes.map((volume) => volume.name),
    })),
    layers,
    totals: {
      sizeBytes,
      zeroBytes: sum((layer) => layer.zeroBytes),
      repeatedBytes: sum((layer) => layer.repeatedBytes),
      storedBytes,
      sharedBytes: shared,
      blobs: manifest.layers.length + 2,
    },
  };
}

function asText(facts: Facts): string {
  const { totals } = facts;
  const lines: readonly (readonly [string, string])[] = [
    ['Snapshot', `${facts.snapshot.namespace}/${facts.snapshot.name} (${facts.snapshot.uid})`],
    ['Content', nameOf(facts)],
    ['Digest', facts.digest],
    ['Pod', `${facts.pod.namespace}/${facts.pod.name} (${facts.pod.uid})`],
    ['Node', Object.values(facts.node).join(', ')],
    ['Network', [facts.network.hostname, ...facts.network.podIPs].join(' ')],
    [
      'Options',
      Object.entries(facts.options)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    ],
    ['Size', `${formatBytes(totals.sizeBytes)} in ${totals.blobs} blobs`],
    ['Zeros', `${formatBytes(totals.zeroBytes)}, not stored`],
    ['Repeated', `${formatBytes(totals.repeatedBytes)}, stored once`],
    ['Stored', `${formatBytes(totals.storedBytes)}${ratio(totals.sizeBytes, totals.storedBytes)}`],
    ['Shared', sharing(totals)],
  ];
  const width = Math.max(...lines.map(([label]) => label.length)) + 1;
  const text = lines.map(([label, value]) => `${`${label}:`.padEnd(width)}  ${printable(value)}\n`);
  return `${text.join('')}\n${containersTable(facts)}\n${layersTable(facts)}`;
}

const ratio = (sizeBytes: number, storedBytes: number): string =>
  storedBytes === 0 ? '' : `, 1 : ${(sizeBytes / storedBytes).toFixed(1)}`;

const sharing = ({ sharedBytes: shared, storedBytes }: Facts['totals']): string =>
  shared === undefined
    ? 'unknown, because another artifact of the store cannot be read'
    : `${formatBytes(shared)} with others of the store; deletion frees ${formatBytes(storedBytes - shared)}`;

const containersTable = ({ containers }: Facts): string =>
  table(
    ['CONTAINER', 'IMAGE', 'FROZEN AT', 'FREEZE', 'CRIU', 'MOUNTS'],
    containers.map((container) => [
      container.name,
      container.image,
      container.frozenAt,
      formatMilliseconds(container.freezeMilliseconds),
      container.criuVersion,
      container.mounts.map(({ path, treatment }) => `${path}=${treatment}`).join(' '),
    ]),
  );

const layersTable = ({ layers }: Facts): string =>
  table(
    ['CONTAINER', 'LAYER', 'PIECES', 'SIZE', 'ZEROS', 'REPEATED', 'STORED'],
    layers.map((layer) => [
      layer.container,
      layer.type,
      String(layer.pieces),
      ...[layer.sizeBytes, layer.zeroBytes, layer.repeatedBytes, layer.storedBytes].map(
        formatBytes,
      ),
    ]),
  );
