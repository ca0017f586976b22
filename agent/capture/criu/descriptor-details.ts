import { statfs } from 'node:fs/promises';
import { readProc } from '../../proc/process-table.ts';
import type { ProcessFacts } from '../facts.ts';

/** statfs(2): f_type of the file system in which POSIX message queues lie. */
const messageQueueFileSystem = 0x19800202;

/**
 * Descriptors whose names look like any other's and which CRIU does not save as they are, a sentence each. A semaphore eventfd comes back as a
 * plain one (CRIU 4.2 keeps the count only): the program would go on with wrong numbers. A POSIX message queue ends the dump.
 */
export async function findUnsavableDescriptors(
  procRoot: string,
  processes: readonly ProcessFacts[],
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { pid, command, descriptors } of processes) {
    for (const { fd, target } of descriptors) {
      const trouble = await troubleBehind(`${procRoot}/${pid}`, fd, target);
      if (trouble !== undefined) {
        found.push(`process ${pid} (${command}), descriptor ${fd} is ${trouble}`);
      }
    }
  }
  return found;
}

async function troubleBehind(
  process: string,
  fd: number,
  target: string,
): Promise<string | undefined> {
  if (target === 'anon_inode:[eventfd]') {
    const details = (await readProc(`${process}/fdinfo/${fd}`)) ?? '';
    return /^eventfd-semaphore:\s*1$/m.test(details)
      ? 'an eventfd made as a semaphore (EFD_SEMAPHORE), which cannot be saved; let the program use a pipe, or a plain eventfd'
      : undefined;
  }
  if (target.startsWith('/secretmem')) {
    return 'secret memory (memfd_secret), which nobody but its process can read';
  }
  if (/^\/[^/]+$/.test(target) && (await isMessageQueue(`${process}/fd/${fd}`))) {
    return `the POSIX message queue ${target}, which cannot be saved; let the program use a System V queue or a socket`;
  }
  return undefined;
}

/** By the file system that the open file lies in: nothing is opened. A descriptor closed meanwhile is none. */
const isMessageQueue = (descriptor: string): Promise<boolean> =>
  statfs(descriptor).then(
    ({ type }) => type === messageQueueFileSystem,
    () => false,
  );
