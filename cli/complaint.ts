import { errorText, Failure } from '../core/failure.ts';
import { painted } from './paint.ts';
import { printable } from './table.ts';
import { type ExitCode, exitCodes, type Terminal } from './terminal.ts';

/** A failure that the user can mend: `remedy` is the sentence printed below it. */
export class RemediedFailure extends Failure {
  readonly remedy: string;

  constructor(failure: Failure, remedy: string) {
    super(failure.kind, failure.reason, failure.message, { cause: failure });
    this.remedy = remedy;
  }
}

/** The command was called wrongly, in a way that only shows once it runs. */
export const usageFailure = (message: string): Failure => new Failure('terminal', 'Usage', message);

const codes: Readonly<Record<string, ExitCode>> = {
  Usage: exitCodes.usage,
  NotFound: exitCodes.notFound,
  Forbidden: exitCodes.refused,
  Unauthorized: exitCodes.refused,
  Timeout: exitCodes.timedOut,
  TookTooLong: exitCodes.timedOut,
};

/** The exit code for what was thrown; `interrupted` wins over whatever an aborted call said. */
export function exitCodeOf(error: unknown, signal: AbortSignal): ExitCode {
  if (signal.aborted) return exitCodes.interrupted;
  return error instanceof Failure ? (codes[error.reason] ?? exitCodes.failed) : exitCodes.failed;
}

const reach =
  'Is the cluster up, and the one you mean? See --context, --kubeconfig, KUBECONFIG and kubectl config get-contexts.';

const remedies: Readonly<Record<string, string>> = {
  NotConfigured: 'Name a kubeconfig with --kubeconfig or KUBECONFIG.',
  ConnectionFailed: reach,
  Timeout: `${reach} A slow one gets longer with --request-timeout.`,
  KindNotServed:
    'Cryopod is not installed in this cluster, or an older version is: kubectl apply -k deploy.',
  Unauthorized: 'The cluster does not take these credentials: log in again, or see --user.',
  AlreadyExists: 'Choose another name.',
  Conflict: 'It changed meanwhile: look at it again, then repeat.',
};

/** What to do about it; undefined where nobody knows. */
export function remedyOf(error: unknown): string | undefined {
  if (error instanceof RemediedFailure) return error.remedy;
  if (!(error instanceof Failure)) return undefined;
  return error.reason === 'Forbidden' ? missingRight(error.message) : remedies[error.reason];
}

/** What the API server's authorizer and the admission policies say, in words that can be handed to an administrator. */
function missingRight(message: string): string | undefined {
  const rbac =
    /cannot (\w+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)")?/.exec(
      message,
    );
  const policy = /needs? the right to (\w+) ([\w./]+)(?: in namespace ([\w-]+))?/.exec(message);
  const [, verb, resource, namespace] =
    rbac === null ? (policy ?? []) : [rbac[0], rbac[1], named(rbac[2], rbac[3]), rbac[4]];
  if (verb === undefined || resource === undefined) return undefined;
  const place = namespace === undefined ? 'the whole cluster' : `namespace ${namespace}`;
  const flag = namespace === undefined ? '' : ` -n ${namespace}`;
  return `The missing right is to ${verb} ${resource} in ${place}: kubectl auth can-i ${verb} ${resource}${flag}. The roles edit and view have the rights of users.`;
}

const named = (resource = '', group = ''): string =>
  group === '' ? resource : `${resource}.${group}`;

/** Prints what was thrown and what to do about it, and says what to exit with. */
export function complain(error: unknown, terminal: Terminal): ExitCode {
  const code = exitCodeOf(error, terminal.signal);
  const { errors } = terminal;
  errors.write(`${painted(errors, 'red', 'error:')} ${harmless(errorText(error))}\n`);
  // After Ctrl-C there is nothing to mend, but there may be something to know.
  const told = code !== exitCodes.interrupted || error instanceof RemediedFailure;
  const remedy = told ? remedyOf(error) : undefined;
  if (remedy !== undefined) errors.write(`${remedy}\n`);
  return code;
}

/** Messages may have several lines, and names of processes and files in them. */
const harmless = (message: string): string => message.split('\n').map(printable).join('\n');
