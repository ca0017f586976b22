import { statfs } from 'node:fs/promises';
import { errorText, Failure } from '../../../core/failure.ts';
import { formatBytes } from '../../../core/units.ts';
import { errorCode } from '../error-code.ts';

/** Bytes that an unprivileged writer can still put into the file system of a directory. */
export async function freeBytesOf(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

/**
 * Runs a piece of work on the store in `directory` and sorts what it throws: an aborted signal's reason and Failures as they are, no space
 * or quota as StorageFull with the numbers, everything else as StorageError. `what` completes "could not ...".
 */
export async function onStorage<T>(
  directory: string,
  what: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    throw await storageFailure(directory, what, error);
  }
}

/** The Failure for what went wrong in the store; a Failure stays what it is. */
export async function storageFailure(
  directory: string,
  what: string,
  error: unknown,
): Promise<Failure> {
  if (error instanceof Failure) return error;
  const code = errorCode(error);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') {
    return new Failure(
      'retry',
      'StorageError',
      `the store ${directory} could not ${what}: ${errorText(error)}`,
      { cause: error },
    );
  }
  const free = await freeBytesOf(directory).catch(() => undefined); // Only for the message.
  const numbers = free === undefined ? '' : `; ${formatBytes(free)} are free`;
  const why = code === 'EDQUOT' ? 'its quota is used up' : 'it is full';
  return new Failure(
    'retry',
    'StorageFull',
    `the store ${directory} could not ${what}: ${why}${numbers}`,
    { cause: error },
  );
}
