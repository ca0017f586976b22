import { fileURLToPath } from 'node:url';
import { type Bed, downBed, upBed } from '../bed/bed.ts';
import type { Example } from '../unit/core/examples.ts';

const names = 'podsnap,podsnapcontent,dckpt,snapjob,podexplain';
const crds = fileURLToPath(new URL('../../crds', import.meta.url));

/** A real API server that serves our kinds, and nobody who does anything about them. */
export type DefinitionsBed = {
  readonly bed: Bed;
  /** Creates on the real server; kubectl's own checks are off, so that each refusal is the server's. */
  readonly create: (object: unknown, ...flags: readonly string[]) => Promise<Example['object']>;
  /** Merges into an object; `of`: kind, name and options as kubectl takes them. */
  readonly patch: (of: readonly string[], body: unknown) => Promise<Example['object']>;
  readonly close: () => Promise<void>;
};

/** Brings it up under a name of the test's own. */
export async function openDefinitionsBed(bedName: string): Promise<DefinitionsBed> {
  const bed = await upBed({ name: bedName, nodes: 0 });
  await bed.kubectl(['apply', '--server-side', '-k', crds]);
  await bed.waitFor(
    'the kinds to be served',
    () => bed.kubectl(['get', names, '-A']).catch(() => undefined),
    20_000,
  );
  await bed.waitFor(
    'the namespace default',
    () => bed.kubectl(['get', 'namespace', 'default']).catch(() => undefined),
    20_000,
  );
  return {
    bed,
    create: async (object, ...flags) => {
      const words = ['create', '--validate=false', '-o', 'json', ...flags, '-f', '-'];
      return JSON.parse(await bed.kubectl(words, JSON.stringify(object)));
    },
    patch: async (of, body) => {
      const words = ['patch', ...of, '--type=merge', '-o', 'json', '-p', JSON.stringify(body)];
      return JSON.parse(await bed.kubectl(words));
    },
    close: () => downBed(bedName),
  };
}
