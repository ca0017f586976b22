type Kubectl = (args: readonly string[]) => Promise<string>;

/** Questions whose answers explain most failures; `-A` because the culprit is often elsewhere. */
const questions: readonly { readonly title: string; readonly args: readonly string[] }[] = [
  { title: 'nodes', args: ['get', 'nodes', '-o', 'wide'] },
  { title: 'pods', args: ['get', 'pods', '-A', '-o', 'wide'] },
  {
    title: 'snapshots',
    args: [
      'get',
      'dynamocheckpoints,snapshotjobs,podsnapshots,podsnapshotcontents,podsnapshotexplanations',
      '-A',
      '-o',
      'yaml',
    ],
  },
  { title: 'events', args: ['get', 'events', '-A', '--sort-by=.metadata.creationTimestamp'] },
  {
    title: 'agents',
    args: [
      'logs',
      '-n',
      'cryopod-system',
      '-l',
      'app.kubernetes.io/component=agent',
      '--prefix',
      '--tail=60',
    ],
  },
  {
    title: 'controller',
    args: [
      'logs',
      '-n',
      'cryopod-system',
      '-l',
      'app.kubernetes.io/component=controller',
      '--prefix',
      '--tail=60',
    ],
  },
];

const linesPerAnswer = 80;

/** State of the bed in words, for the message of a failed wait. Never throws. */
export async function diagnosis(bed: string, kubectl: Kubectl): Promise<string> {
  const answers = await Promise.all(
    questions.map(async ({ title, args }) => {
      const answer = await kubectl([...args, '--request-timeout=5s']).catch((error: unknown) =>
        error instanceof Error ? error.message : String(error),
      );
      const lines = answer.trim().split('\n').slice(-linesPerAnswer);
      return `--- ${title} of bed ${bed}\n${lines.join('\n')}`;
    }),
  );
  return answers.join('\n');
}
