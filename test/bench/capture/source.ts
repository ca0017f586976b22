import type { Bed } from '../../bed/bed.ts';
import { busyboxImage } from '../../bed/versions.ts';
import { inNode, programsDirectory } from './node.ts';

/** What fills the memory of a source. */
export type Content = 'loop' | 'random' | 'text';

/** A running pod to capture. */
export type Source = {
  readonly name: string;
  readonly content: Content;
  readonly mebibytes: number;
  /** Of its first process, as the node numbers it. */
  readonly pid: number;
};

const fillDeadlineMilliseconds = 180_000;
export const namespace = 'bench';

const commandOf = (content: Content, mebibytes: number): readonly string[] =>
  content === 'loop'
    ? ['sh', '-c', 'echo ready; while true; do sleep 1; done']
    : ['/programs/ballast', String(mebibytes), content];

/** Starts a pod with so much memory of that kind and an empty writable layer; resolves when it is filled. */
export async function startSource(
  bed: Bed,
  node: string,
  content: Content,
  mebibytes: number,
): Promise<Source> {
  const name = content === 'loop' ? 'loop' : `${content}-${mebibytes}`;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 0,
      volumes: [{ name: 'programs', hostPath: { path: programsDirectory, type: 'Directory' } }],
      containers: [
        {
          name: 'main',
          image: busyboxImage,
          imagePullPolicy: 'Never',
          command: commandOf(content, mebibytes),
          volumeMounts: [{ name: 'programs', mountPath: '/programs', readOnly: true }],
        },
      ],
    },
  };
  await bed.apply(JSON.stringify(pod));
  const ready = async () =>
    (await bed.kubectl(['logs', name, '-n', namespace]).catch(() => '')).includes('ready') ||
    undefined;
  await bed.waitFor(`${name} to have filled its memory`, ready, fillDeadlineMilliseconds);
  const path = 'jsonpath={.status.containerStatuses[0].containerID}';
  const id = (await bed.kubectl(['get', 'pod', name, '-n', namespace, '-o', path])).split('//')[1];
  // The first process of the container is number 1 in its own namespace.
  const find = `for f in $(grep -l ${id} /proc/[0-9]*/cgroup); do s=\${f%cgroup}status; grep -q '^NSpid:.*[[:space:]]1$' $s && sed -n 's/^Pid:[[:space:]]*//p' $s; done; true`;
  const pid = Number((await inNode(bed, node, ['sh', '-c', find])).trim().split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 0) throw new Error(`the process of ${name} was not found`);
  return { name, content, mebibytes, pid };
}

/** Removes it and waits until its memory is free again. */
export async function removeSource(bed: Bed, source: Source): Promise<void> {
  await bed.kubectl(['delete', 'pod', source.name, '-n', namespace, '--wait=true']);
}
