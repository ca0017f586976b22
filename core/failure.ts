/**
 * What the caller should do about an error. `retry`: again with back-off. `conflict`: at once, after a fresh read.
 * `gone`: the object is not there (the server said so; never inferred from an error). `terminal`: never again.
 * `fenced`: this process no longer holds the right to act.
 */
export type FailureKind = 'retry' | 'terminal' | 'conflict' | 'gone' | 'fenced';

/** The one error class inside Cryopod: sorted once at the edge where it arises; the original stays as `cause`. */
export class Failure extends Error {
  readonly kind: FailureKind;
  /** CamelCase: a reason of core/api/reasons.ts where a user will see it, else a name for logs. */
  readonly reason: string;
  /** Set where the other side asked for a pause (Retry-After), in milliseconds. */
  readonly retryAfterMilliseconds: number | undefined;

  constructor(
    kind: FailureKind,
    reason: string,
    message: string,
    options: { readonly cause?: unknown; readonly retryAfterMilliseconds?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Failure';
    this.kind = kind;
    this.reason = reason;
    this.retryAfterMilliseconds = options.retryAfterMilliseconds;
  }
}

/** True for a Failure of one of the kinds given. */
export function isFailure(error: unknown, ...kinds: readonly FailureKind[]): error is Failure {
  return error instanceof Failure && (kinds.length === 0 || kinds.includes(error.kind));
}

/** The text of whatever was thrown, for messages and logs. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
