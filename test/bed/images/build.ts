import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from '../lock.ts';
import { cacheDirectory } from '../paths.ts';
import { baseDigest, buildArgs, ensureBase, type Workshop } from './bases.ts';
import { type Buildah, openBuildah } from './buildah.ts';
import { inputDigest } from './inputs.ts';
import {
  agentRecipe,
  bareRecipes,
  controllerRecipe,
  initRecipe,
  type Recipe,
  sampleRecipes,
  testWorkloadsRecipe,
} from './recipes.ts';
import { machineSettings, withSecrets } from './secrets.ts';
import { archiveRevision } from './versions.ts';

/** An image ready to be loaded. `archive` is an OCI archive; its name changes with what the image is made from. */
export type BuiltImage = { readonly name: string; readonly archive: string };

/** Where progress is told. */
export type BuildOptions = { readonly log: (line: string) => void };

const lockWaitMs = 900_000;
/** Older archives are kept for a switch between two versions of the sources; the product's are some 90 MB each. */
const keptArchives = 2;

/** The controller's image, built unless the cache has it. */
export const controllerImage = (options: BuildOptions): Promise<BuiltImage> =>
  buildImage(controllerRecipe, options);

/** The agent's image, built unless the cache has it. */
export const agentImage = (options: BuildOptions): Promise<BuiltImage> =>
  buildImage(agentRecipe, options);

/** The image whose one program stands as PID 1 in placeholders, built unless the cache has it. */
export const initImage = (options: BuildOptions): Promise<BuiltImage> =>
  buildImage(initRecipe, options);

/** The image of the programs that tests capture, built unless the cache has it. */
export const testWorkloadsImage = (options: BuildOptions): Promise<BuiltImage> =>
  buildImage(testWorkloadsRecipe, options);

/** Images without shell, and one of them with another libc, built unless the cache has them. */
export async function bareImages(options: BuildOptions): Promise<readonly BuiltImage[]> {
  const built: BuiltImage[] = [];
  for (const recipe of bareRecipes) built.push(await buildImage(recipe, options));
  return built;
}

/** The images of the sample workloads, built unless the cache has them. */
export async function workloadImages(options: BuildOptions): Promise<readonly BuiltImage[]> {
  const built: BuiltImage[] = [];
  for (const recipe of sampleRecipes) built.push(await buildImage(recipe, options));
  return built;
}

/** All images that a bed with Cryopod needs beside its own. */
export async function allImages(options: BuildOptions): Promise<readonly BuiltImage[]> {
  const product = [
    await agentImage(options),
    await controllerImage(options),
    await initImage(options),
  ];
  return [...product, ...(await workloadImages(options))];
}

async function buildImage(recipe: Recipe, options: BuildOptions): Promise<BuiltImage> {
  const directory = join(cacheDirectory(), 'images');
  const cached = await archivePath(directory, recipe);
  if (await reuse(cached)) return { name: recipe.image, archive: cached };
  await mkdir(directory, { recursive: true });
  const archive = await withLock(join(directory, '.lock'), lockWaitMs, options.log, async () => {
    const buildah = await openBuildah(join(directory, 'buildah'));
    const settings = await machineSettings(process.env);
    const workshop = { buildah, directory, settings, log: options.log };
    // Working containers of a build that was killed; with the lock held, nobody uses one.
    await buildah.run(['rm', '--all'], join(directory, 'buildah.log'));
    const wanted = await archivePath(directory, recipe);
    if (await reuse(wanted)) return wanted; // whoever held the lock before has made it
    await buildInto(wanted, recipe, workshop);
    if (wanted === (await archivePath(directory, recipe))) return wanted;
    options.log(`image ${recipe.image}: its sources changed during the build`);
    // Which of the edits are in it nobody knows: good enough to go on with, but never to be found by a digest.
    const unnamed = join(directory, `${recipe.slug}-${randomBytes(8).toString('hex')}.tar`);
    await rename(wanted, unnamed);
    return unnamed;
  });
  return { name: recipe.image, archive };
}

/** Whether the archive is there; then it counts as used now, for what is kept longest. */
const reuse = (path: string): Promise<boolean> =>
  utimes(path, new Date(), new Date()).then(
    () => true,
    () => false,
  );

async function buildInto(archive: string, recipe: Recipe, workshop: Workshop): Promise<void> {
  const { directory, log } = workshop;
  const started = performance.now();
  log(`image ${recipe.image}: ${await reason(directory, recipe)}`);
  await build(recipe, archive, workshop);
  await prune(directory, recipe);
  const elapsed = ((performance.now() - started) / 1000).toFixed(1);
  log(`image ${recipe.image}: built, ${elapsed} s`);
}

async function archivePath(directory: string, recipe: Recipe): Promise<string> {
  const digest = await inputDigest(recipe.context, recipe.inputs, [
    recipe.image,
    String(archiveRevision),
    process.arch,
    JSON.stringify(recipe.arguments),
    await baseDigest(recipe.base),
  ]);
  return join(directory, `${recipe.slug}-${digest}.tar`);
}

async function archivesOf(directory: string, recipe: Recipe): Promise<readonly string[]> {
  const pattern = new RegExp(`^${recipe.slug}-[0-9a-f]{16}\\.tar$`);
  return (await readdir(directory)).filter((name) => pattern.test(name));
}

async function reason(directory: string, recipe: Recipe): Promise<string> {
  const older = await archivesOf(directory, recipe);
  return older.length === 0
    ? 'building for the first time (5 to 60 s)'
    : 'its sources changed, building (about 10 s)';
}

async function build(recipe: Recipe, archive: string, workshop: Workshop): Promise<void> {
  const { buildah, directory, settings } = workshop;
  const logPath = join(directory, `${recipe.slug}.log`);
  await writeFile(logPath, '');
  await ensureBase(recipe.base, workshop);
  const target = recipe.target === '' ? [] : ['--target', recipe.target];
  const values = Object.entries(recipe.arguments).flatMap(([name, value]) => [
    '--build-arg',
    `${name}=${value}`,
  ]);
  await withSecrets(directory, settings, (secrets) =>
    buildah.run(
      [
        ...buildArgs(buildah),
        ...secrets,
        ...target,
        ...values,
        '--tag',
        recipe.image,
        '--file',
        recipe.dockerfile,
        recipe.context,
      ],
      logPath,
    ),
  );
  await writeArchive(buildah, recipe.image, archive, logPath);
}

/** Renamed when complete, so that an archive under its final name is always whole. */
async function writeArchive(
  buildah: Buildah,
  image: string,
  archive: string,
  logPath: string,
): Promise<void> {
  const partial = `${archive}.partial`;
  await rm(partial, { force: true });
  const push = ['push', '--quiet', ...buildah.policyArgs, '--format=oci'];
  // containerd takes in some 70 MB/s whatever it has already, so what goes in is kept small; gzip would take longer at both ends.
  const compress = ['--compression-format=zstd', '--compression-level=1'];
  await buildah.run([...push, ...compress, image, `oci-archive:${partial}:${image}`], logPath);
  await rename(partial, archive);
}

async function prune(directory: string, recipe: Recipe): Promise<void> {
  const paths = (await archivesOf(directory, recipe)).map((name) => join(directory, name));
  const aged = await Promise.all(
    paths.map(async (path) => ({ path, madeAtMs: (await stat(path)).mtimeMs })),
  );
  aged.sort((left, right) => right.madeAtMs - left.madeAtMs);
  for (const { path } of aged.slice(keptArchives)) await rm(path, { force: true });
}
