import type { InspectedArtifact, InspectedContainer } from './inspected-artifact.ts';
import type { InspectedProcess } from './inspected-process.ts';

/** A fact that two artifacts do not agree on; an absent value is empty. */
export type FactDifference = {
  readonly fact: string;
  readonly before: string;
  readonly after: string;
};

/** Facts by their names. Whose snapshot it is and when it was taken are none: they always differ. */
function factsOf({ node, network, pod, options, containers }: InspectedArtifact) {
  return new Map<string, string>([
    ['pod', `${pod.namespace}/${pod.name} (${pod.uid})`],
    ['node', node.name],
    ['architecture', node.architecture ?? ''],
    ['kernel', node.kernelVersion ?? ''],
    ['cpu', node.cpu ?? ''],
    ['hostname', network.hostname ?? ''],
    ['addresses', network.podIPs.join(' ')],
    ...Object.entries(options).map(([key, value]) => [`option ${key}`, String(value)] as const),
    ...containers.flatMap(containerFacts),
  ]);
}

const containerFacts = (
  container: InspectedContainer,
): readonly (readonly [fact: string, value: string])[] => [
  [`${container.name}: image`, container.image],
  [`${container.name}: image ID`, container.imageID],
  [`${container.name}: CRIU`, container.criuVersion],
  ...Object.entries(container.limits).map(
    ([name, value]) => [`${container.name}: limit ${name}`, value] as const,
  ),
  ...container.mounts.map(
    ({ path, treatment, volume = '' }) =>
      [`${container.name}: mount ${path}`, `${treatment} ${volume}`.trim()] as const,
  ),
];

/** Every fact that differs, and every variable of a root process that came, went or changed; of variables the names only. */
export function factDifferences(
  before: InspectedArtifact,
  after: InspectedArtifact,
): readonly FactDifference[] {
  const [first, second] = [factsOf(before), factsOf(after)];
  const facts = [...new Set([...first.keys(), ...second.keys()])].flatMap((fact) => {
    const values = { before: first.get(fact) ?? '', after: second.get(fact) ?? '' };
    return values.before === values.after ? [] : [{ fact, ...values }];
  });
  const names = [...new Set([...before.containers, ...after.containers].map(({ name }) => name))];
  return [
    ...facts,
    ...names.flatMap((name) =>
      variableDifferences(name, rootOf(before, name), rootOf(after, name)),
    ),
  ];
}

const rootOf = ({ containers }: InspectedArtifact, name: string): InspectedProcess | undefined =>
  containers.find((container) => container.name === name)?.processes[0];

function variableDifferences(
  container: string,
  before: InspectedProcess | undefined,
  after: InspectedProcess | undefined,
): readonly FactDifference[] {
  const [first, second] = [before, after].map(
    (process) => new Map(process?.environment?.map(({ name, value }) => [name, value])),
  );
  if (first === undefined || second === undefined) return [];
  return [...new Set([...first.keys(), ...second.keys()])].flatMap((name) => {
    const values = [first.get(name), second.get(name)];
    if (values[0] === values[1]) return [];
    const [was, is] = values.map((value) => (value === undefined ? '' : 'set'));
    const changed = values[0] !== undefined && values[1] !== undefined;
    const told = changed ? { before: 'set', after: 'set otherwise' } : { before: was, after: is };
    return [
      {
        fact: `${container}: variable ${name}`,
        before: told.before ?? '',
        after: told.after ?? '',
      },
    ];
  });
}
