import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Bed } from '../../bed/bed.ts';

/** Where the node has the compiled programs of test/fixtures/workloads. */
export const programsDirectory = '/opt/cryopod-bench';

/** Compiles the programs that the bench needs into a node. */
export async function installPrograms(
  bed: Bed,
  node: string,
  names: readonly string[],
): Promise<void> {
  const target = join(bed.node(node).rootPath, programsDirectory);
  mkdirSync(target, { recursive: true });
  for (const name of names) {
    const source = join(import.meta.dirname, `../../fixtures/workloads/${name}.c`);
    const options = ['-O2', '-static', '-s', '-Wall', '-Wextra', '-Werror'];
    await execa('gcc', [...options, '-o', join(target, name), source]);
  }
}

/** Runs a command inside the node; throws with what it printed when it fails. */
export async function inNode(bed: Bed, node: string, argv: readonly string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await bed.node(node).exec(argv, { timeoutMs: 300_000 });
  if (exitCode !== 0) throw new Error(`${argv.slice(0, 3).join(' ')}: ${stderr.slice(-2000)}`);
  return stdout;
}

/** Milliseconds that a shell command takes inside the node, the way there not counted. */
export async function timedInNode(bed: Bed, node: string, command: string): Promise<number> {
  const argv = [`${programsDirectory}/timed`, 'sh', '-ec', command];
  return Number((await inNode(bed, node, argv)).trim());
}

/** Nothing that was written before may still be on its way to the disk when the next thing is measured. */
export async function settleDisk(): Promise<void> {
  await execa('sync');
}
