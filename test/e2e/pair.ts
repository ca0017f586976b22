import { stringify } from 'yaml';
import { busyboxImage } from '../bed/versions.ts';

/*
 * Two containers throw a number back and forth through two emptyDirs, as fast as they can. Each knows what it may find at any instant, and ends with
 * BROKEN when it finds anything else: what runs again was cut through at one instant, or it says so.
 */
const player = (own: string, other: string, order: 'serves' | 'answers'): string => {
  const write = `echo $n >${own}.new; mv ${own}.new ${own}`;
  const wait = `
  while true; do
    seen=0; read seen <${other} 2>/dev/null
    [ "$seen" = $n ] && break
    [ "$seen" = $((n-1)) ] || { echo "BROKEN: $seen where $n was to come"; exit 1; }
    sleep 0.01
  done`;
  return `
token=$(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \\n'); n=0
while true; do
  n=$((n+1))
  ${order === 'serves' ? `${write}\n${wait}` : `${wait}\n${write}`}
  [ $((n % 10)) = 0 ] && echo "tick $n token=$token"
done`;
};

const commands: Readonly<Record<string, string>> = {
  serve: player('/data/ball', '/fast/answers/ball', 'serves'),
  answer: `echo mine >/tmp/own; ln /tmp/own /tmp/twin; truncate -s 1000000000 /tmp/sparse; rm /bin/nc; ${player('/out/ball', '/in/ball', 'answers')}`,
};

const spec = {
  volumes: [
    { name: 'data', emptyDir: {} },
    { name: 'fast', emptyDir: { medium: 'Memory' } },
  ],
  containers: [
    {
      name: 'serve',
      image: busyboxImage,
      // Everything a careful owner takes away.
      securityContext: {
        runAsUser: 1000,
        runAsNonRoot: true,
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      },
      volumeMounts: [
        { name: 'data', mountPath: '/data' },
        { name: 'fast', mountPath: '/fast' },
      ],
    },
    {
      name: 'answer',
      image: busyboxImage,
      volumeMounts: [
        { name: 'data', mountPath: '/in', readOnly: true },
        { name: 'fast', mountPath: '/out', subPath: 'answers' },
      ],
    },
  ],
};

/** The names of the two containers. */
export const pairContainers: readonly string[] = spec.containers.map(({ name }) => name);

/** The pod of both. */
export const pairPod = (options: {
  readonly name: string;
  readonly namespace: string;
  readonly nodeName: string;
}): string =>
  stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: options.name, namespace: options.namespace },
    spec: {
      ...spec,
      nodeName: options.nodeName,
      terminationGracePeriodSeconds: 1,
      restartPolicy: 'Never',
      containers: spec.containers.map((container) => ({
        ...container,
        imagePullPolicy: 'Never',
        command: ['sh', '-c', commands[container.name]],
      })),
    },
  });
