import { Crash, type World } from './world.ts';

export type CutWrites = {
  /** Does some work of the controller; where it is cut, a new one does it over. */
  readonly survive: (work: () => Promise<void>) => Promise<void>;
  /** Writes of controllers so far. */
  readonly writes: () => number;
};

/** Cuts the n-th write of the controllers of a world (0: none), before or after it took effect. */
export function cutWrites(world: World, cut: number, when: 'before' | 'after'): CutWrites {
  let writes = 0;
  let working = false;
  world.kube[when] = ({ verb }) => {
    if (!working || ['get', 'list', 'watch'].includes(verb)) return;
    writes += 1;
    if (writes === cut) throw new Crash('cut');
  };
  const survive = async (work: () => Promise<void>): Promise<void> => {
    working = true;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      world.restart();
      await work();
    } finally {
      working = false;
    }
  };
  return { survive, writes: () => writes };
}
