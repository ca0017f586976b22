import { imageEntries } from './image-file.ts';
import { corruptImage } from './message.ts';

/**
 * A process of a dumped tree, as pids of the container. `threads`: their cores are core-<tid>.img, its own pid among them; of a process that is dead
 * CRIU 4.2 writes numbers without meaning there, so look at core-<pid>.img first.
 */
export type TreeEntry = {
  readonly pid: number;
  /** 0 for the root. */
  readonly parentPid: number;
  readonly processGroup: number;
  readonly session: number;
  readonly threads: readonly number[];
};

/** pstree.img (pstree_entry): every process once, parents before their children. */
export function parseProcessTree(name: string, image: Buffer): readonly TreeEntry[] {
  const known = new Set<number>();
  const tree = imageEntries(name, image, 'pstree').map((entry): TreeEntry => {
    const pid = entry.required(1);
    const parentPid = entry.required(2);
    if (known.has(pid)) throw corruptImage(name, `process ${pid} stands in it twice`);
    if (parentPid !== 0 && !known.has(parentPid)) {
      throw corruptImage(name, `process ${pid} has the unknown parent ${parentPid}`);
    }
    known.add(pid);
    return {
      ...{ pid, parentPid },
      processGroup: entry.required(3),
      session: entry.required(4),
      threads: entry.numbers(5),
    };
  });
  if (tree.length === 0) throw corruptImage(name, 'it has no process');
  return tree;
}
