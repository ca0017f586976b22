import { randomInt } from 'node:crypto';
import { errorText, Failure, isFailure } from '../../core/failure.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { identityOf } from '../../runtime/raw-object.ts';
import { RemediedFailure } from '../complaint.ts';
import type { KubeSession } from '../kube-session.ts';
import { doneText, type OutputForm } from '../output.ts';
import { parsedOr } from '../read-object.ts';
import { type ExitCode, exitCodes } from '../terminal.ts';
import { awaitRequest, endedAs, goesOn, goneBeforeEnd, isOver } from './await-end.ts';
import { requestKey } from './named.ts';
import { type RequestView, type RequestWord, requestKinds, requestView } from './view.ts';

export const dryRuns = ['none', 'client', 'server'] as const;

/** How a request is made. */
export type Creating = {
  readonly dryRun: (typeof dryRuns)[number];
  readonly output: OutputForm;
  readonly wait: boolean;
  readonly timeoutMilliseconds: number;
  /** Which ends are a success. */
  readonly isSuccess: (view: RequestView) => boolean;
  /** What a success is told with, behind the name. */
  readonly successText: (view: RequestView) => string;
};

// Kubernetes' own letters for generated names: no vowels, so no words.
const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789';
const suffixLength = 5;
const longestName = 63;

/** `web` -> `web-x2k4p`: a name that nobody has, short enough for a label. */
export function suffixed(name: string): string {
  const letters = Array.from({ length: suffixLength }, () =>
    suffixLetters.charAt(randomInt(suffixLetters.length)),
  );
  const kept = name.slice(0, longestName - suffixLength - 1).replace(/[^a-z0-9]+$/, '');
  return `${kept}-${letters.join('')}`;
}

/** Creates a request, or shows what would be created; with `wait` follows it to its end. */
export async function createRequest(
  session: KubeSession,
  word: RequestWord,
  object: RawObject,
  creating: Creating,
): Promise<ExitCode> {
  const { kind } = requestKinds[word];
  const { output } = session.terminal;
  const tell = (raw: RawObject, done: string): void => {
    output.write(doneText(creating.output, kind, raw, done));
  };
  if (creating.dryRun === 'client') {
    tell(object, 'created (dry run)');
    return exitCodes.done;
  }
  const raw = await create(session, word, object, creating.dryRun === 'server');
  if (creating.dryRun === 'server') {
    tell(raw, 'created (server dry run)');
    return exitCodes.done;
  }
  // A table's reader sees it at once; who asked for the object gets it as it is in the end.
  if (!creating.wait || creating.output === 'table') tell(raw, 'created');
  if (!creating.wait) return exitCodes.done;
  const key = requestKey(session, word, identityOf(raw).name);
  const start = parsedOr(key, requestView(word, raw));
  const { timeoutMilliseconds } = creating;
  const end = await awaitRequest(session, start, { isEnd: isOver, timeoutMilliseconds });
  if (end === undefined) throw goneBeforeEnd(start);
  if (creating.output !== 'table') tell(end.raw, '');
  if (!creating.isSuccess(end)) throw endedAs(end);
  if (creating.output === 'table') tell(end.raw, creating.successText(end));
  return exitCodes.done;
}

const settleMilliseconds = 5000;

/** The server has answered, and done nothing. */
const isRefusal = (error: unknown): boolean =>
  isFailure(error, 'terminal', 'conflict', 'gone') ||
  (isFailure(error) && ['KindNotServed', 'Unauthorized', 'TooManyRequests'].includes(error.reason));

/** A create whose answer was not heard may have been done: what is so is looked up and said. */
async function create(
  session: KubeSession,
  word: RequestWord,
  object: RawObject,
  dryRun: boolean,
): Promise<RawObject> {
  const { kind } = requestKinds[word];
  try {
    return await session.kube.create(kind, object, { dryRun }, session.terminal.signal);
  } catch (error) {
    if (dryRun || isRefusal(error)) throw error;
    throw await unheard(session, word, object, error);
  }
}

async function unheard(
  session: KubeSession,
  word: RequestWord,
  object: RawObject,
  cause: unknown,
): Promise<Failure> {
  const { name } = identityOf(object);
  const why = isFailure(cause) ? cause : new Failure('retry', 'Interrupted', errorText(cause));
  const key = requestKey(session, word, name);
  try {
    const raw = await session.kube.get(key, AbortSignal.timeout(settleMilliseconds));
    const view = parsedOr(key, requestView(word, raw));
    session.terminal.errors.write(`${goesOn(view)}\n`);
    return new RemediedFailure(why, `The ${word} was created all the same.`);
  } catch (error) {
    if (isFailure(error, 'gone')) return new RemediedFailure(why, 'Nothing was created.');
    const look = `cryopod describe ${word}/${name} -n ${session.namespace}`;
    return new RemediedFailure(why, `Whether it was created is not known: ${look}.`);
  }
}
