import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import * as z from 'zod';
import {
  type ArtifactConfig,
  type ArtifactContainer,
  volumesOf,
} from '../../agent/artifact/config.ts';
import { extractArtifact } from '../../agent/artifact/extract.ts';
import { dirStore } from '../../agent/store/dir/dir-store.ts';
import type { Bed } from '../bed/bed.ts';
import { findAgentPid } from './agent-pid.ts';

/*
 * Runs a captured container again from its artifact alone, with the command line that the prototype found: what the restore issue will do in the
 * agent is done here by hand, so that a capture is proven by the only proof there is.
 */

const signal = AbortSignal.timeout(600_000);

/** Where the run happens and from what. */
export type RunAgain = {
  readonly bed: Bed;
  readonly node: string;
  readonly namespace: string;
  readonly podName: string;
  /** Of the one container `main`, where there is no `spec`. */
  readonly image?: string;
  /** The source's containers and volumes. */
  readonly spec?: PlaceholderSpec;
  readonly artifact: { readonly namespace: string; readonly contentUID: string };
};

type Mounted = {
  readonly volumeMounts?: readonly object[];
  readonly securityContext?: object;
};

/** What a placeholder has in common with its source; the commands are its own. */
export type PlaceholderSpec = {
  readonly hostname?: string;
  readonly volumes: readonly object[];
  readonly containers: readonly (Mounted & { readonly name: string; readonly image: string })[];
};

const specOf = (run: RunAgain): PlaceholderSpec =>
  run.spec ?? {
    volumes: [{ name: 'snapshot-control', emptyDir: {} }],
    containers: [
      {
        name: 'main',
        image: run.image ?? '',
        volumeMounts: [
          { name: 'snapshot-control', mountPath: '/snapshot-control', subPath: 'main' },
        ],
      },
    ],
  };

function placeholder(run: RunAgain): string {
  const { hostname, volumes, containers } = specOf(run);
  return stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: run.podName, namespace: run.namespace },
    spec: {
      nodeName: run.node,
      ...(hostname === undefined ? {} : { hostname }),
      terminationGracePeriodSeconds: 1,
      restartPolicy: 'Never',
      volumes: [
        ...volumes,
        { name: 'shared-memory', emptyDir: { medium: 'Memory' } },
        { name: 'snap', hostPath: { path: snapDirectory(run), type: 'Directory' } },
      ],
      containers: containers.map((container) => ({
        ...container,
        imagePullPolicy: 'Never',
        command: ['/snap/bundle/busybox', 'sleep', '3600'],
        volumeMounts: [
          ...(container.volumeMounts ?? []),
          { name: 'shared-memory', mountPath: '/dev/shm' },
          { name: 'snap', mountPath: '/snap' },
        ],
      })),
    },
  });
}

const snapDirectory = (run: RunAgain): string => `/var/lib/snap-${run.podName}`;

/** CRIU of the agent's own image, with its loader and libraries, so that it runs in any image; and a busybox. */
async function makeBundle(run: RunAgain, bundle: string): Promise<void> {
  const node = run.bed.node(run.node);
  await mkdir(join(node.rootPath, bundle), { recursive: true });
  await copyFile(await busyboxPath(), join(node.rootPath, bundle, 'busybox'));
  const script = `
    set -e
    agent=$(${findAgentPid})
    root=/proc/$agent/root
    mkdir -p ${bundle}/lib ${bundle}/bin
    cp $root/usr/sbin/criu ${bundle}/criu
    for l in $(chroot $root ldd /usr/sbin/criu | grep -oE '/[^ ]+'); do cp -L $root$l ${bundle}/lib/; done
    for a in mount mkdir ls head sh; do ln -sf ../busybox ${bundle}/bin/$a; done
    chmod -R a+rX ${bundle}/.. ${bundle}`;
  const made = await node.exec(['bash', '-c', script]);
  if (made.exitCode !== 0) throw new Error(`bundle: ${made.stderr}`);
}

const restoreScript = `
EXT=""
while read -r a b c d mp rest; do case "$mp" in /|/proc) ;; *) EXT="$EXT --external mnt[$mp]:$mp";; esac; done < /proc/1/mountinfo
mount -o remount,rw,bind /proc/sys
mkdir -p /tmp /run $WORK
LOADER=$(ls /snap/bundle/lib/ld-linux-* | head -1)
$LOADER --library-path /snap/bundle/lib /snap/bundle/criu restore -D $IMAGES -W $WORK -o restore.log -v4 \\
  --root / -d --pidfile $WORK/pid $EXT --inherit-fd "fd[5]:extNetNs" $INHERIT \\
  --manage-cgroups=ignore --file-locks --ext-unix-sk --tcp-close --link-remap --force-irmap --evasive-devices --restore-sibling
`;

/** Applies the OCI layer of the writable layer to a running container's root, which may be read-only to it: deletions first, never over a mount point. */
const applyLayerScript = `
set -e
root=/proc/$1/root; tar=$2
nsenter -t $1 -m -p /snap/bundle/busybox mount -o remount,rw,bind /
excludes=$(awk '$5 != "/" {print "--exclude=." $5}' /proc/$1/mountinfo)
tar -tf $tar | { grep -E '(^|/)\\.wh\\.' || true; } | while read -r entry; do
  name=$(basename "$entry"); [ "$name" = .wh..wh..opq ] && continue
  rm -rf "$root/$(dirname "$entry")/\${name#.wh.}"
done
tar --xattrs --xattrs-include='*' --numeric-owner -C $root $excludes --exclude='.wh.*' --overwrite -xf $tar
`;

/** Restores every container and returns once CRIU has said that the trees run; throws with the end of its log otherwise. */
export async function runAgain(run: RunAgain): Promise<void> {
  const node = run.bed.node(run.node);
  const host = (path: string): string => join(node.rootPath, path);
  const directory = snapDirectory(run);
  await rm(host(directory), { recursive: true, force: true });
  await makeBundle(run, `${directory}/bundle`);
  const config = await extractArtifact(
    dirStore(host('/var/lib/cryopod-store')),
    run.artifact,
    host(`${directory}/artifact`),
    signal,
  );
  await run.bed.apply(placeholder(run));
  const pod = await runningPod(run);
  const pids = new Map<string, string>();
  for (const { name } of config.containers) pids.set(name, await initOf(run, pod, name));
  await writeFile(host(`${directory}/apply.sh`), applyLayerScript);
  for (const { name } of config.containers) {
    const tar = `${directory}/artifact/containers/${name}/rootfs.tar`;
    await inNode(run, `bash ${directory}/apply.sh ${pids.get(name)} ${tar}`);
  }
  for (const { name } of volumesOf(config.containers).values()) {
    const target = placeOf(config, pids, name);
    const tar = `${directory}/artifact/volumes/${name}.tar`;
    await inNode(run, `tar --numeric-owner --overwrite -C ${target} -xf ${tar}`);
  }
  for (const container of config.containers) {
    await restoreContainer(run, container, pids.get(container.name) ?? '');
  }
}

/** Where a volume is mounted as a whole. */
function placeOf(
  { containers }: ArtifactConfig,
  pids: ReadonlyMap<string, string>,
  volume: string,
): string {
  for (const { name, mounts } of containers) {
    const mount = mounts.find((one) => one.volume === volume && one.subPath === undefined);
    if (mount !== undefined) return `/proc/${pids.get(name)}/root${mount.path}`;
  }
  throw new Error(`volume ${volume} is mounted nowhere as a whole`);
}

async function inNode(run: RunAgain, script: string): Promise<string> {
  const done = await run.bed.node(run.node).exec(['bash', '-c', script]);
  if (done.exitCode !== 0) throw new Error(`${script}: ${done.stdout}${done.stderr}`);
  return done.stdout.trim();
}

type RunningPod = { readonly uid: string; readonly containerIDs: ReadonlyMap<string, string> };

const podSchema = z.object({
  metadata: z.object({ uid: z.string() }),
  status: z.object({
    containerStatuses: z
      .array(
        z.object({
          name: z.string(),
          containerID: z.string().default(''),
          state: z.object({ running: z.object({}).optional() }),
        }),
      )
      .default([]),
  }),
});

function runningPod(run: RunAgain): Promise<RunningPod> {
  return run.bed.waitFor(
    `placeholder ${run.podName} to run`,
    async () => {
      const text = await run.bed.kubectl([
        'get',
        'pod',
        run.podName,
        '-n',
        run.namespace,
        '-o',
        'json',
      ]);
      const { metadata, status } = podSchema.parse(JSON.parse(text));
      const running = status.containerStatuses.filter(({ state }) => state.running !== undefined);
      if (running.length < specOf(run).containers.length) return undefined;
      const ids = running.map(({ name, containerID }) => [name, containerID] as const);
      return { uid: metadata.uid, containerIDs: new Map(ids) };
    },
    60_000,
  );
}

function initOf(run: RunAgain, pod: RunningPod, container: string): Promise<string> {
  const id = pod.containerIDs.get(container)?.replace('containerd://', '');
  return inNode(run, `grep -lE '${id}' /proc/[0-9]*/cgroup | head -1 | cut -d/ -f3`);
}

async function restoreContainer(
  run: RunAgain,
  container: ArtifactContainer,
  pid: string,
): Promise<void> {
  const directory = snapDirectory(run);
  const host = (path: string): string => join(run.bed.node(run.node).rootPath, path);
  const inherit = [1, 2]
    .map((descriptor) => container.stdio[descriptor])
    .flatMap((name, index) =>
      name?.startsWith('pipe:') ? [`--inherit-fd fd[${6 + index}]:${name}`] : [],
    )
    .join(' ');
  const work = `work-${container.name}`;
  const images = `artifact/containers/${container.name}/images`;
  const script = `restore-${container.name}.sh`;
  await writeFile(
    host(`${directory}/${script}`),
    `WORK=/snap/${work} IMAGES=/snap/${images} INHERIT='${inherit}'\n${restoreScript}`,
  );
  const command = `exec 5</proc/1/ns/net 6>/proc/1/fd/1 7>/proc/1/fd/2; . /snap/${script}`;
  const shell = [
    '/snap/bundle/busybox',
    'sh',
    '-c',
    `export PATH=/snap/bundle/bin:$PATH; ${command}`,
  ];
  const entered = ['nsenter', '-t', pid, '-m', '-u', '-i', '-n', '-p', ...shell];
  const restored = await run.bed.node(run.node).exec(entered);
  if (restored.exitCode === 0) return;
  const log = await readFile(host(`${directory}/${work}/restore.log`), 'utf8').catch(
    () => '(no log)',
  );
  const said = `${restored.stdout}${restored.stderr}`;
  throw new Error(`criu restore of ${container.name}: ${said}\n${log.slice(-4000)}`);
}

async function busyboxPath(): Promise<string> {
  const { busyboxBinary } = await import('../bed/base-images.ts');
  return busyboxBinary();
}

/** A small file of the captured writable layer of the first container, as the artifact has it. */
export const readCapturedFile = (run: RunAgain, path: string): Promise<string> =>
  readCaptured(run, `containers/${specOf(run).containers[0]?.name}/rootfs.tar`, path);

/** The same of a captured volume. */
export const readCapturedVolume = (run: RunAgain, volume: string, path: string): Promise<string> =>
  readCaptured(run, `volumes/${volume}.tar`, path);

async function readCaptured(run: RunAgain, tar: string, path: string): Promise<string> {
  const file = `${snapDirectory(run)}/artifact/${tar}`;
  const read = await run.bed.node(run.node).exec(['tar', '--wildcards', '-xOf', file, `*${path}`]);
  if (read.exitCode !== 0) throw new Error(`${path} of ${tar}: ${read.stderr}`);
  return read.stdout;
}

/** Removes the placeholder and its files. */
export async function endRun(run: RunAgain): Promise<void> {
  await run.bed.kubectl(['delete', 'pod', run.podName, '-n', run.namespace, '--ignore-not-found']);
  await rm(join(run.bed.node(run.node).rootPath, snapDirectory(run)), {
    recursive: true,
    force: true,
  });
}
