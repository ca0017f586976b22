import type { PodSnapshot } from '../../../core/api/pod-snapshot.ts';
import type { PodSnapshotContent } from '../../../core/api/pod-snapshot-content.ts';
import { formatBytes, formatMilliseconds } from '../../../core/units.ts';
import type { KindParts } from './request-text.ts';

/** What is particular to a snapshot. `content`: its work order, where it may be read. Pure. */
export function snapshotParts(
  { spec, status }: PodSnapshot,
  content: PodSnapshotContent | undefined,
): KindParts {
  const { podRef } = spec.source;
  const { artifact, freezeMilliseconds, stageMilliseconds = {} } = status;
  const node = content?.status.source?.node;
  const images = content?.status.source?.pod?.images ?? [];
  const uid = podRef?.uid ?? content?.spec.source.podRef?.uid;
  return {
    facts: [
      [
        'Source',
        podRef === undefined ? '' : `pod ${podRef.name}${uid === undefined ? '' : ` (UID ${uid})`}`,
      ],
      ['Content', status.boundSnapshotContentName ?? spec.source.contentName],
      ['Containers', podRef?.containers.join(', ')],
      [
        'Node',
        [status.nodeName ?? '', ...factsOfNode(node)].filter((one) => one !== '').join(', '),
      ],
      ['Options', optionsText(spec)],
      ['Cancelled', spec.cancel ? 'asked for' : ''],
      ['Started', status.startedAt],
      ['Completed', status.completedAt],
      ['Attempts', status.attempts === undefined ? '' : String(status.attempts)],
      ['Freeze', freezeMilliseconds === undefined ? '' : formatMilliseconds(freezeMilliseconds)],
      ['Source is', status.sourceState],
      ...(artifact === undefined
        ? []
        : ([
            ['Artifact', artifact.digest],
            [
              'Size',
              `${formatBytes(artifact.sizeBytes)}, ${formatBytes(artifact.storedBytes)} stored`,
            ],
            ['Store', artifact.store],
          ] as const)),
    ],
    sections: [
      {
        heading: ['STAGE', 'TOOK'],
        rows: Object.entries(stageMilliseconds).flatMap(([stage, milliseconds]) =>
          milliseconds === undefined ? [] : [[stage, formatMilliseconds(milliseconds)]],
        ),
      },
      {
        heading: ['CONTAINER', 'IMAGE', 'IMAGE ID'],
        rows: images.map(({ container, image, imageID }) => [container, image, imageID]),
      },
    ],
  };
}

type SourceNode = NonNullable<PodSnapshotContent['status']['source']>['node'];

function factsOfNode(node: SourceNode): readonly string[] {
  if (node === undefined) return [];
  const { architecture, kernelVersion, criuVersion } = node;
  return [
    architecture ?? '',
    kernelVersion === undefined ? '' : `Linux ${kernelVersion}`,
    criuVersion === undefined ? '' : `CRIU ${criuVersion}`,
  ];
}

function optionsText(spec: PodSnapshot['spec']): string {
  const { freezeBudgetSeconds: budget } = spec;
  return [
    ...[`afterCapture ${spec.afterCapture}`, `tcp ${spec.tcp}`],
    ...[`deletionPolicy ${spec.deletionPolicy}`, `deadline ${spec.deadlineSeconds} s`],
    ...(budget === undefined ? [] : [`freeze budget ${budget} s`]),
    ...(spec.waitForReady ? [] : ['also while not Ready']),
  ].join(', ');
}
