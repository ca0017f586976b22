import { describe, expect, it } from 'vitest';
import { errorText, Failure, isFailure } from '../../../core/failure.ts';

describe('Failure', () => {
  it('keeps what was thrown as its cause', () => {
    const cause = new Error('ENOSPC');
    expect(new Failure('retry', 'StorageFull', 'no space', { cause }).cause).toBe(cause);
  });

  it('has no cause when none was given', () => {
    expect('cause' in new Failure('retry', 'StorageFull', 'no space')).toBe(false);
  });

  it('keeps the pause that the other side asked for', () => {
    const failure = new Failure('retry', 'TooMany', 'later', { retryAfterMilliseconds: 1500 });
    expect(failure.retryAfterMilliseconds).toBe(1500);
  });
});

describe('isFailure', () => {
  it('knows a failure of any kind when no kind is asked for', () => {
    expect(isFailure(new Failure('gone', 'NotFound', 'no pod'))).toBe(true);
  });

  it('knows only the kinds asked for', () => {
    const failure = new Failure('conflict', 'Conflict', 'moved');
    expect(isFailure(failure, 'retry', 'conflict')).toBe(true);
    expect(isFailure(failure, 'retry', 'gone')).toBe(false);
  });

  it('takes no other error for a failure', () => {
    expect(isFailure(Object.assign(new Error('x'), { kind: 'retry' }), 'retry')).toBe(false);
    expect(isFailure(undefined)).toBe(false);
  });
});

describe('errorText', () => {
  it('is the message of an error and the text of anything else', () => {
    expect(errorText(new Error('broken'))).toBe('broken');
    expect(errorText('plain')).toBe('plain');
    expect(errorText(undefined)).toBe('undefined');
  });
});
