import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execInNode } from './node.ts';
import { nodePaths } from './node-config.ts';
import { bedPaths } from './paths.ts';
import { elapsed, type Log } from './progress.ts';

/** Imports an image archive (OCI or docker) into the nodes' containerd, where it is not there already. */
export async function loadArchive(
  bed: string,
  nodes: readonly string[],
  archive: string,
  log: Log,
): Promise<void> {
  const digest = await digestOfFile(archive);
  await Promise.all(nodes.map((node) => loadIntoNode(bed, node, archive, digest, log)));
}

async function loadIntoNode(
  bed: string,
  node: string,
  archive: string,
  digest: string,
  log: Log,
): Promise<void> {
  const folder = join(nodePaths(bedPaths(bed), node).directory, 'loaded');
  const mark = join(folder, digest);
  if (
    await access(mark).then(
      () => true,
      () => false,
    )
  )
    return;
  const time = elapsed();
  // Through standard input: the node does not see the host's files.
  const result = await execInNode(
    bed,
    node,
    ['ctr', '--namespace', 'k8s.io', 'images', 'import', '--digests=false', '-'],
    { inputFile: archive },
  );
  if (result.exitCode !== 0) {
    throw new Error(`${node} did not take the image ${archive}: ${result.stderr.trim()}`);
  }
  await mkdir(folder, { recursive: true });
  await writeFile(mark, `${archive}\n`);
  log(`loaded ${basename(archive)} into ${node} in ${time()}`);
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}
