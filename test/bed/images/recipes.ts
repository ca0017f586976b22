import { fileURLToPath } from 'node:url';

/** How one image comes about. Paths are absolute. */
export type Recipe = {
  /** Complete name, as manifests use it. */
  readonly image: string;
  /** Name of its files in the cache. */
  readonly slug: string;
  readonly base: 'debian' | 'node';
  readonly context: string;
  readonly dockerfile: string;
  /** Stage of the Dockerfile; '' is the last. */
  readonly target: string;
  /** Values of the Dockerfile's ARGs that differ from its defaults. */
  readonly arguments: Readonly<Record<string, string>>;
  /** Files and folders below the context whose content decides whether a built image is still current. */
  readonly inputs: readonly string[];
};

/** Root of the repository. */
export const repositoryRoot = fileURLToPath(new URL('../../../', import.meta.url)).replace(
  /\/$/,
  '',
);

/** The same list as .dockerignore's, which a test compares. */
export const productInputs: readonly string[] = [
  'package.json',
  'package-lock.json',
  '.npmrc',
  'tsconfig.json',
  'tsconfig.build.json',
  'core',
  'runtime',
  'controller',
  'agent',
  'cli',
  'LICENSE',
  'images/agent',
  'images/enter',
  'images/init',
];

const product = (target: 'controller' | 'agent' | 'init'): Recipe => ({
  image: `cryopod.dev/${target}:dev`,
  slug: target,
  base: 'node',
  context: repositoryRoot,
  dockerfile: `${repositoryRoot}/Dockerfile`,
  target,
  // A mirror frozen for reproducible builds carries metadata past its date; the signatures are checked all the same.
  arguments: target === 'controller' ? {} : { APT_OPTIONS: '-o Acquire::Check-Valid-Until=false' },
  inputs: ['Dockerfile', '.dockerignore', ...productInputs],
});

const sample = (name: string): Recipe => ({
  image: `cryopod.dev/sample-${name}:dev`,
  slug: `sample-${name}`,
  base: 'debian',
  context: `${repositoryRoot}/images/sample-${name}`,
  dockerfile: `${repositoryRoot}/images/sample-${name}/Dockerfile`,
  target: '',
  arguments: {},
  inputs: ['.'],
});

export const controllerRecipe = product('controller');
export const agentRecipe = product('agent');
export const initRecipe: Recipe = {
  ...product('init'),
  inputs: ['Dockerfile', '.dockerignore', 'images/init', 'images/enter'],
};
export const sampleRecipes: readonly Recipe[] = ['counter', 'redis', 'python'].map(sample);

/** Programs that tests capture; loaded by the tests that want them. */
export const testWorkloadsRecipe: Recipe = {
  image: 'cryopod.dev/test-workloads:dev',
  slug: 'test-workloads',
  base: 'debian',
  context: `${repositoryRoot}/test/fixtures/workloads`,
  dockerfile: `${repositoryRoot}/test/fixtures/workloads/Dockerfile`,
  target: '',
  arguments: {},
  inputs: [
    'Dockerfile',
    'kernel-objects.c',
    'process-tree.c',
    'many-threads.c',
    'nginx.conf',
    'sqlite_writer.py',
    'hostile_files.py',
    'identity.py',
  ],
};

const bare = (target: 'static' | 'musl'): Recipe => ({
  image: `cryopod.dev/test-${target}:dev`,
  slug: `test-${target}`,
  base: 'debian',
  context: `${repositoryRoot}/test/fixtures/bare`,
  dockerfile: `${repositoryRoot}/test/fixtures/bare/Dockerfile`,
  target,
  arguments: {},
  inputs: ['.'],
});

/** Images of one program and nothing else; loaded by the tests that want them. */
export const bareRecipes: readonly Recipe[] = [bare('static'), bare('musl')];
