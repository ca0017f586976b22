import { formatBytes, formatMilliseconds } from '../../../core/units.ts';
import { capabilitiesText } from '../../inspection/capability-names.ts';
import type { InspectedArtifact, InspectedContainer } from '../../inspection/inspected-artifact.ts';
import type { InspectedProcess } from '../../inspection/inspected-process.ts';
import { printable, table } from '../../table.ts';

/** An inspection as people read it: the facts, then for each container tree, sockets, files, mappings, environments and mounts. */
export function inspectionText(artifact: InspectedArtifact, mappings: number): string {
  const { volumes } = artifact;
  return [
    factsText(artifact),
    ...artifact.containers.map((container) => containerText(container, mappings)),
    ...section(
      ['VOLUME', 'SIZE', 'STORED'],
      volumes.map(({ name, sizeBytes, storedBytes }) => [
        name,
        formatBytes(sizeBytes),
        formatBytes(storedBytes),
      ]),
    ),
  ].join('\n');
}

/** `Label:  value` lines, the values in one column; what is empty is left out. */
export function labelled(lines: readonly (readonly [label: string, value: string])[]): string {
  const shown = lines.filter(([, value]) => value !== '');
  const width = Math.max(...shown.map(([label]) => label.length)) + 1;
  return shown
    .map(([label, value]) => `${`${label}:`.padEnd(width)}  ${printable(value)}\n`)
    .join('');
}

/** A table where there are rows. */
export const section = (
  heading: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] => (rows.length === 0 ? [] : [table(heading, rows)]);

const factsText = (artifact: InspectedArtifact): string =>
  labelled([
    ['Snapshot', `${artifact.snapshot.namespace}/${artifact.snapshot.name}`],
    ['Content', artifact.contentUID],
    ['Digest', artifact.digest],
    ['Pod', `${artifact.pod.namespace}/${artifact.pod.name} (${artifact.pod.uid})`],
    ['Node', artifact.node.name],
    ['Kernel', artifact.node.kernelVersion ?? ''],
    ['CPU', [artifact.node.architecture, artifact.node.cpu].filter(Boolean).join(', ')],
    ['Network', [artifact.network.hostname, ...artifact.network.podIPs].filter(Boolean).join(' ')],
    [
      'Options',
      Object.entries(artifact.options)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    ],
    [
      'Size',
      `${formatBytes(artifact.totals.sizeBytes)}, stored ${formatBytes(artifact.totals.storedBytes)}`,
    ],
  ]);

function containerText(container: InspectedContainer, mappings: number): string {
  const { processes } = container;
  const limits = Object.entries(container.limits).map(([name, value]) => `${name}=${value}`);
  const facts = labelled([
    ['Container', container.name],
    ['Image', container.image],
    ['Image ID', container.imageID],
    ['Limits', limits.join(' ')],
    ['Frozen', `${container.frozenAt}, for ${formatMilliseconds(container.freezeMilliseconds)}`],
    ['CRIU', `${container.criuVersion}, images version ${container.inventory.imageVersion}`],
    ['Security', container.inventory.securityModule],
    [
      'Files',
      `writable layer ${formatBytes(container.writableLayer.sizeBytes)}, stored ${formatBytes(container.writableLayer.storedBytes)}`,
    ],
  ]);
  return [
    facts,
    processTable(processes),
    ...section(
      ['PID', 'FD', 'PROTOCOL', 'STATE', 'LOCAL', 'REMOTE'],
      processes.flatMap(socketRows),
    ),
    ...section(['PID', 'FD', 'TYPE', 'OPEN', 'AT', 'SIZE', 'NAME'], processes.flatMap(fileRows)),
    ...section(
      ['PID', 'MAPPING', 'SIZE', 'RESIDENT', 'PROTECTION', 'KIND', 'SOURCE'],
      largest(processes, mappings),
    ),
    ...environmentTexts(processes),
    ...section(
      ['MOUNT', 'TREATMENT', 'VOLUME'],
      container.mounts.map(({ path, treatment, volume, claim }) => [
        path,
        treatment,
        [volume, claim === undefined ? undefined : `claim ${claim}`].filter(Boolean).join(', '),
      ]),
    ),
  ].join('\n');
}

/** Children stand below their parents, two spaces in. */
function processTable(processes: readonly InspectedProcess[]): string {
  const depths = new Map<number, number>();
  for (const { pid, parentPid } of processes) {
    depths.set(pid, (depths.get(parentPid) ?? -1) + 1);
  }
  return table(
    ['PID', 'PPID', 'STATE', 'UID', 'THREADS', 'RESIDENT', 'CAPABILITIES', 'COMMAND'],
    inTreeOrder(processes).map((process) => [
      String(process.pid),
      String(process.parentPid),
      process.state,
      String(process.credentials?.effectiveUID ?? '-'),
      String(Math.max(1, process.threads.length)),
      formatBytes(process.residentBytes),
      process.credentials === undefined
        ? '-'
        : capabilitiesText(process.credentials.capabilities.effective),
      '  '.repeat(depths.get(process.pid) ?? 0) + commandText(process),
    ]),
  );
}

function inTreeOrder(processes: readonly InspectedProcess[]): readonly InspectedProcess[] {
  const children = Map.groupBy(processes, ({ parentPid }) => parentPid);
  const ordered: InspectedProcess[] = [];
  // A stack of its own: a tree may be deeper than the one of calls.
  const waiting = (children.get(0) ?? []).toReversed();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    ordered.push(next);
    if (next.pid !== 0) waiting.push(...(children.get(next.pid) ?? []).toReversed());
  }
  return ordered;
}

/** `python3 /app.py`, or `[name]` as ps shows what has no arguments. */
export const commandText = ({ command, arguments: words }: InspectedProcess): string =>
  words === undefined || words.join('') === '' ? `[${command}]` : words.join(' ');

const socketRows = ({ pid, descriptors }: InspectedProcess): readonly (readonly string[])[] =>
  descriptors.flatMap((each): readonly (readonly string[])[] => {
    const start = [String(pid), String(each.descriptor)];
    if ('protocol' in each) return [[...start, each.protocol, each.state, each.local, each.remote]];
    if (!('peerInode' in each)) return [];
    const peer = each.peerInode === 0 ? '' : `inode ${each.peerInode}`;
    const own = each.name === '' ? `inode ${each.inode}` : each.name;
    return [[...start, `unix ${each.type}`, each.state, own, peer]];
  });

const fileRows = ({ pid, descriptors }: InspectedProcess): readonly (readonly string[])[] =>
  descriptors.flatMap((each): readonly (readonly string[])[] => {
    if (each.kind === 'inet' || each.kind === 'unix') return [];
    const removed = 'removed' in each && each.removed ? ' (deleted)' : '';
    return [
      [
        ...[String(pid), String(each.descriptor), each.kind],
        'flags' in each ? each.flags : '',
        'positionBytes' in each ? String(each.positionBytes) : '',
        'sizeBytes' in each && each.sizeBytes !== undefined ? String(each.sizeBytes) : '',
        each.name + removed,
      ],
    ];
  });

const largest = (
  processes: readonly InspectedProcess[],
  count: number,
): readonly (readonly string[])[] =>
  processes
    .flatMap(({ pid, largestMappings }) => largestMappings.map((mapping) => ({ pid, mapping })))
    .toSorted((a, b) => b.mapping.residentBytes - a.mapping.residentBytes)
    .slice(0, count)
    .map(({ pid, mapping }) => [
      String(pid),
      mapping.start,
      formatBytes(mapping.sizeBytes),
      formatBytes(mapping.residentBytes),
      mapping.protection,
      mapping.kind,
      mapping.path ?? '',
    ]);

/** Most processes have the environment of their parents: each is shown once. */
function environmentTexts(processes: readonly InspectedProcess[]): readonly string[] {
  const shown = new Set<string>();
  return processes.flatMap(({ pid, environment = [] }) => {
    const text = JSON.stringify(environment);
    if (environment.length === 0 || shown.has(text)) return [];
    shown.add(text);
    const lines = environment.map(({ name, value }) => [`${name}=${value}`]);
    return [table([`ENVIRONMENT OF ${pid}`], lines)];
  });
}
