import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { extractArtifact } from '../../agent/artifact/extract.ts';
import { dirStore } from '../../agent/store/dir/dir-store.ts';
import type { Bed } from '../bed/bed.ts';

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
  readonly image: string;
  readonly artifact: { readonly namespace: string; readonly contentUID: string };
};

function placeholder(run: RunAgain): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: run.podName, namespace: run.namespace },
    spec: {
      nodeName: run.node,
      terminationGracePeriodSeconds: 1,
      restartPolicy: 'Never',
      volumes: [
        { name: 'snapshot-control', emptyDir: {} },
        { name: 'shared-memory', emptyDir: { medium: 'Memory' } },
        { name: 'snap', hostPath: { path: snapDirectory(run), type: 'Directory' } },
      ],
      containers: [
        {
          name: 'main',
          image: run.image,
          imagePullPolicy: 'Never',
          command: ['/snap/bundle/busybox', 'sleep', '3600'],
          volumeMounts: [
            { name: 'snapshot-control', mountPath: '/snapshot-control', subPath: 'main' },
            { name: 'shared-memory', mountPath: '/dev/shm' },
            { name: 'snap', mountPath: '/snap' },
          ],
        },
      ],
    },
  });
}

const snapDirectory = (run: RunAgain): string => `/var/lib/snap-${run.podName}`;

/** CRIU of the agent's own image, with its loader and libraries, so that it runs in any image. */
async function makeBundle(run: RunAgain, bundle: string): Promise<void> {
  const node = run.bed.node(run.node);
  const script = `
    set -e
    agent=$(pgrep -f 'dist/agent/main.js' | head -1)
    root=/proc/$agent/root
    mkdir -p ${bundle}/lib
    cp $root/usr/sbin/criu ${bundle}/criu
    for l in $(chroot $root ldd /usr/sbin/criu | grep -oE '/[^ ]+'); do cp -L $root$l ${bundle}/lib/; done`;
  const made = await node.exec(['bash', '-c', script]);
  if (made.exitCode !== 0) throw new Error(`bundle: ${made.stderr}`);
}

const restoreScript = `
EXT=""
while read -r a b c d mp rest; do case "$mp" in /|/proc) ;; *) EXT="$EXT --external mnt[$mp]:$mp";; esac; done < /proc/1/mountinfo
mount -o remount,rw,bind /proc/sys
mkdir -p /tmp/w /run
LOADER=$(ls /snap/bundle/lib/ld-linux-* | head -1)
$LOADER --library-path /snap/bundle/lib /snap/bundle/criu restore -D /snap/artifact/images -W /tmp/w -o restore.log -v4 \\
  --root / -d --pidfile /tmp/w/pid $EXT --inherit-fd "fd[5]:extNetNs" $INHERIT \\
  --manage-cgroups=ignore --file-locks --ext-unix-sk --tcp-close --link-remap --force-irmap --evasive-devices --restore-sibling
`;

/** Applies the OCI layer of the writable layer to a running container's root: deletions first, never over a mount point. */
const applyLayerScript = `
set -e
root=/proc/$1/root; tar=$2
excludes=$(awk '$5 != "/" {print "--exclude=." $5}' /proc/$1/mountinfo)
tar -tf $tar | { grep -E '(^|/)\\.wh\\.' || true; } | while read -r entry; do
  name=$(basename "$entry"); [ "$name" = .wh..wh..opq ] && continue
  rm -rf "$root/$(dirname "$entry")/\${name#.wh.}"
done
tar --xattrs --xattrs-include='*' --numeric-owner -C $root $excludes --exclude='.wh.*' --overwrite -xf $tar
for volume in $3/*.tar; do [ -e "$volume" ] && tar --numeric-owner -C $root/dev/shm -xf "$volume"; done; true
`;

/** Restores and returns once CRIU has said that the tree runs; throws with the end of its log otherwise. */
export async function runAgain(run: RunAgain): Promise<void> {
  const node = run.bed.node(run.node);
  const host = (path: string): string => join(node.rootPath, path);
  const directory = snapDirectory(run);
  await rm(host(directory), { recursive: true, force: true });
  await mkdir(host(`${directory}/bundle`), { recursive: true });
  await makeBundle(run, `${directory}/bundle`);
  await copyFile(await busyboxPath(), host(`${directory}/bundle/busybox`));
  const config = await extractArtifact(
    dirStore(host('/var/lib/cryopod-store')),
    run.artifact,
    host(`${directory}/artifact`),
    signal,
  );
  await run.bed.apply(placeholder(run));
  const containerID = await run.bed.waitFor(
    `placeholder ${run.podName} to run`,
    async () => {
      const path =
        '{.status.containerStatuses[0].state.running.startedAt} {.status.containerStatuses[0].containerID}';
      const text = await run.bed.kubectl([
        'get',
        'pod',
        run.podName,
        '-n',
        run.namespace,
        '-o',
        `jsonpath=${path}`,
      ]);
      return /^\S+ containerd:\/\/([0-9a-f]{64})$/.exec(text)?.[1];
    },
    60_000,
  );
  const pid = (
    await node.exec([
      'bash',
      '-c',
      `grep -lE '${containerID}' /proc/[0-9]*/cgroup | head -1 | cut -d/ -f3`,
    ])
  ).stdout.trim();
  const container = config.containers[0];
  if (container === undefined) throw new Error('the artifact names no container');
  await writeFile(host(`${directory}/apply.sh`), applyLayerScript);
  const applied = await node.exec([
    'bash',
    `${directory}/apply.sh`,
    pid,
    `${directory}/artifact/rootfs.tar`,
    `${directory}/artifact/volumes`,
  ]);
  if (applied.exitCode !== 0) throw new Error(`writable layer: ${applied.stderr}`);
  const inherit = [1, 2]
    .map((descriptor) => container.stdio[descriptor])
    .flatMap((name, index) =>
      name?.startsWith('pipe:') ? [`--inherit-fd fd[${6 + index}]:${name}`] : [],
    )
    .join(' ');
  await writeFile(host(`${directory}/restore.sh`), `INHERIT='${inherit}'${restoreScript}`);
  const command = `exec 5</proc/1/ns/net 6>/proc/1/fd/1 7>/proc/1/fd/2; . /snap/restore.sh`;
  const shell = [
    '/snap/bundle/busybox',
    'sh',
    '-c',
    `export PATH=/snap/bundle/bin:$PATH; ${command}`,
  ];
  await node.exec([
    'bash',
    '-c',
    `mkdir -p ${directory}/bundle/bin; for a in mount mkdir ls head sh; do ln -sf ../busybox ${directory}/bundle/bin/$a; done`,
  ]);
  const restored = await node.exec(['nsenter', '-t', pid, '-m', '-u', '-i', '-n', '-p', ...shell]);
  if (restored.exitCode !== 0) {
    const log = await readFile(host(`${directory}/artifact/images/restore.log`), 'utf8').catch(
      () => '(no log)',
    );
    throw new Error(`criu restore: ${restored.stdout}${restored.stderr}\n${log.slice(-4000)}`);
  }
}

async function busyboxPath(): Promise<string> {
  const { busyboxBinary } = await import('../bed/base-images.ts');
  return busyboxBinary();
}

/** A small file of the captured writable layer, as the artifact has it. */
export async function readCapturedFile(run: RunAgain, path: string): Promise<string> {
  const layer = `${snapDirectory(run)}/artifact/rootfs.tar`;
  const read = await run.bed.node(run.node).exec(['tar', '--wildcards', '-xOf', layer, `*${path}`]);
  if (read.exitCode !== 0) throw new Error(`${path} of the writable layer: ${read.stderr}`);
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
