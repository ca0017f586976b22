import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import type { Bed } from '../bed/bed.ts';

const repository = join(import.meta.dirname, '../..');
const installedAt = '/opt/cryopod-test';

const dependencies = z.object({ dependencies: z.record(z.string(), z.string()).default({}) });

/** A package and everything it needs at run time. */
function closureOf(names: readonly string[]): ReadonlySet<string> {
  const found = new Set(names);
  for (const name of found) {
    const file = join(repository, 'node_modules', name, 'package.json');
    const parsed = dependencies.parse(JSON.parse(readFileSync(file, 'utf8')));
    for (const dependency of Object.keys(parsed.dependencies)) found.add(dependency);
  }
  return found;
}

/** Puts this tree's sources, their packages and the Node that runs this test into a node. */
export function installDriver(bed: Bed, node: string): void {
  const target = join(bed.node(node).rootPath, installedAt);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(join(target, 'test'), { recursive: true });
  writeFileSync(join(target, 'package.json'), '{"type":"module"}');
  for (const directory of ['core', 'agent', 'test/integration']) {
    cpSync(join(repository, directory), join(target, directory), { recursive: true });
  }
  for (const name of closureOf(['execa', 'zod'])) {
    const from = join(repository, 'node_modules', name);
    if (existsSync(from)) {
      cpSync(from, join(target, 'node_modules', name), { recursive: true, dereference: true });
    }
  }
  cpSync(process.execPath, join(target, 'node'), { dereference: true });
}

const eventSchema = z.looseObject({ event: z.string() });

/** What the driver said, in order; one that killed itself simply stops talking. Throws what it threw. */
export async function runDriver(
  bed: Bed,
  node: string,
  order: object,
): Promise<readonly z.infer<typeof eventSchema>[]> {
  const argv = [
    // Not the direct child of what enters the node: that stops itself along with a child that is stopped.
    'sh',
    '-c',
    '"$@" & wait $!',
    'sh',
    `${installedAt}/node`,
    `${installedAt}/test/integration/criu-driver.ts`,
    JSON.stringify(order),
  ];
  const { stdout, stderr, exitCode } = await bed.node(node).exec(argv, { timeoutMs: 120_000 });
  if (exitCode === 1) throw new Error(stderr);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => eventSchema.parse(JSON.parse(line)));
}

const identity = z.object({ pid: z.number(), startTicks: z.number() });
const processSchema = z.object({ container: z.string(), criu: identity, source: identity });
const processEvent = z.object({ processes: z.array(processSchema) });
type Processes = z.infer<typeof processSchema>;

/** The processes of every container that a capture named before it froze anything. */
export function allProcessesOf(
  events: readonly z.infer<typeof eventSchema>[],
): readonly Processes[] {
  return processEvent.parse(events.find(({ event }) => event === 'process')).processes;
}

/** The same of a capture of one container. */
export function processesOf(events: readonly z.infer<typeof eventSchema>[]): Processes {
  const [only] = allProcessesOf(events);
  if (only === undefined) throw new Error('the capture named no process');
  return only;
}

/** Counts five times a second; holds some 100 MB so that a dump lasts; changes its image and its /dev/shm. */
export const workload = `
echo new > /tmp/written; rm /bin/nc; echo shared > /dev/shm/s
blob=$(head -c 24000000 /dev/urandom | od -x)
(trap "" TERM; while true; do sleep 1; done) &
i=0; while true; do i=$((i+1)); echo tick $i; sleep 0.2; done`;
