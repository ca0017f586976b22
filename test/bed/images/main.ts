import {
  agentImage,
  allImages,
  controllerImage,
  testWorkloadsImage,
  workloadImages,
} from './build.ts';

/** `npx node test/bed/images/main.ts [all|agent|controller|samples|tests]`: builds and prints where each archive is. */
const options = { log: (line: string): void => console.log(line) };
const builders = new Map([
  ['all', () => allImages(options)],
  ['agent', async () => [await agentImage(options)]],
  ['controller', async () => [await controllerImage(options)]],
  ['samples', () => workloadImages(options)],
  ['tests', async () => [await testWorkloadsImage(options)]],
]);
const build = builders.get(process.argv[2] ?? 'all');
if (build === undefined) {
  console.error(`which images? one of ${[...builders.keys()].join(', ')}`);
  process.exitCode = 1;
} else {
  for (const image of await build()) console.log(`${image.name}\t${image.archive}`);
}
