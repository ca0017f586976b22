import { basename, join } from 'node:path';
import type { Bed } from './bed.ts';
import {
  agentImage,
  type BuiltImage,
  controllerImage,
  initImage,
  workloadImages,
} from './images/build.ts';
import { repositoryRoot } from './images/recipes.ts';
import { writeOverlay } from './overlay.ts';
import { rolloutLeft } from './rollout.ts';
import { buildShim, placeShim, shimNeeded } from './shim/prlimit.ts';

/** Where the installation tells its progress. */
export type InstallOptions = { readonly log: (line: string) => void };

const readyDeadlineMs = 180_000;
const definitions = [
  'dynamocheckpoints.nvidia.com',
  'podsnapshots.nvidia.com',
  'podsnapshotcontents.nvidia.com',
  'snapshotjobs.nvidia.com',
  'podsnapshotexplanations.cryopod.dev',
];

/**
 * Installs Cryopod into a bed and returns once it serves: images built and loaded, deploy/ applied with the bed's patches, definitions
 * established, controller and agents Ready. Done again it changes what changed; pods whose image changed are replaced. In a bed without nodes only
 * the definitions are installed.
 */
export async function installCryopod(bed: Bed, options: InstallOptions): Promise<void> {
  const { log } = options;
  const started = performance.now();
  if (bed.nodes.length === 0) {
    await apply(bed, join(repositoryRoot, 'crds'));
    await established(bed);
    return;
  }
  const agent = await agentImage({ log });
  const controller = await controllerImage({ log });
  const init = await initImage({ log });
  const samples = await workloadImages({ log });
  const loadStarted = performance.now();
  for (const image of [agent, controller, init, ...samples]) await bed.load(image.archive);
  log(`images are on all ${bed.nodes.length} nodes, ${seconds(loadStarted)}`);

  const shim = await shimNeeded();
  if (shim) await installShim(bed, log);
  const overlay = join(bed.directory, 'install');
  await writeOverlay(overlay, join(repositoryRoot, 'deploy'), {
    controllerRevision: revision(controller),
    agentRevision: revision(agent),
    shim,
  });
  await apply(bed, overlay);
  await established(bed);
  log('manifests applied, waiting for controller and agents to be Ready');
  await rolledOut(bed);
  log(`Cryopod runs, ${seconds(started)} in all`);
}

const seconds = (startedMs: number): string =>
  `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;

/** The archive's name carries the digest of everything that went into the image. */
const revision = (image: BuiltImage): string => basename(image.archive, '.tar');

async function installShim(bed: Bed, log: (line: string) => void): Promise<void> {
  const library = await buildShim();
  await Promise.all(bed.nodes.map(async (name) => placeShim(library, bed.node(name).rootPath)));
  log("root lacks CAP_SYS_RESOURCE here: the agents' criu runs with the bed's prlimit shim");
}

/** Server-side: the definitions are too long for the annotation that a client-side apply leaves. */
async function apply(bed: Bed, directory: string): Promise<void> {
  await bed.kubectl(['apply', '--server-side', '--force-conflicts', '-k', directory]);
}

async function established(bed: Bed): Promise<void> {
  const names = definitions.map((name) => `crd/${name}`);
  await bed.kubectl(['wait', '--for=condition=Established', '--timeout=60s', ...names]);
}

async function rolledOut(bed: Bed): Promise<void> {
  const query = ['get', 'deployments,daemonsets', '-n', 'cryopod-system', '-o', 'json'];
  let left: readonly string[] = [];
  try {
    await bed.waitFor(
      'controller and agents to be Ready',
      async () => {
        left = rolloutLeft(await bed.kubectl(query), bed.nodes.length);
        return left.length === 0 ? true : undefined;
      },
      readyDeadlineMs,
    );
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new Error(`Cryopod does not become Ready: ${left.join('; ')}\n${found}`, {
      cause: error,
    });
  }
}
