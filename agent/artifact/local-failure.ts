import { errorText, Failure } from '../../core/failure.ts';
import { errorCode } from '../store/error-code.ts';

/** Sorts what went wrong with files of this node, as against those of the store: a Failure as it is, no space as StorageFull, else StorageError. */
export function packingFailure(directory: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const code = errorCode(error);
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new Failure(
    'retry',
    full ? 'StorageFull' : 'StorageError',
    `the directory ${directory} could not be used: ${errorText(error)}`,
    { cause: error },
  );
}
