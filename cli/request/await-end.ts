import { Failure } from '../../core/failure.ts';
import type { KubeSession } from '../kube-session.ts';
import { type Following, followRequest } from './follow.ts';
import { RequestProgress } from './progress.ts';
import type { RequestView } from './view.ts';

/** How the line goes on after Ctrl-C: what is done to the request now, and what can be done about it. */
export function goesOn({ word, metadata, standing }: RequestView): string {
  const { name, namespace = '' } = metadata;
  const flag = `-n ${namespace}`;
  if (standing.state === 'Deleting') {
    return `The deletion of ${word} ${name} goes on in the cluster. Follow it: cryopod wait ${word}/${name} ${flag} --for deleted.`;
  }
  const stop =
    word === 'snapshot'
      ? `cryopod cancel snapshot/${name} ${flag}`
      : `cryopod delete ${word}/${name} ${flag}`;
  return `${word} ${name} goes on in the cluster. Follow it: cryopod wait ${word}/${name} ${flag}. Stop it: ${stop}.`;
}

/** Follows a request with its progress shown; who stops waiting is told that the request does not stop. */
export async function awaitRequest(
  session: KubeSession,
  start: RequestView,
  wanted: Pick<Following, 'isEnd' | 'timeoutMilliseconds'>,
): Promise<RequestView | undefined> {
  const progress = new RequestProgress(session);
  let last: RequestView | undefined = start;
  try {
    return await followRequest(session, start, {
      ...wanted,
      onSilence: ({ message }) => {
        progress.clear();
        session.terminal.errors.write(`${message}; trying again\n`);
      },
      onChange: (view) => {
        last = view;
        if (view !== undefined && view.standing.end === undefined) progress.show(view);
      },
    });
  } catch (error) {
    progress.clear();
    const open = last?.standing.end === undefined ? last : undefined;
    if (open !== undefined) session.terminal.errors.write(`${goesOn(open)}\n`);
    throw error;
  } finally {
    progress.clear();
  }
}

/** Ended, whichever way, or gone. */
export const isOver = (view: RequestView | undefined): boolean =>
  view === undefined || view.standing.end !== undefined;

/** The failure that a request ended with, in its own words. */
export function endedAs({ word, metadata, standing }: RequestView): Failure {
  const { state, reason, message } = standing;
  const text = `${word} ${metadata.name} is ${state}${reason === '' || reason === state ? '' : ` (${reason})`}: ${message}`;
  return new Failure('terminal', reason || state, text);
}

/** What a request that is gone before its end leaves to say. */
export const goneBeforeEnd = ({ word, metadata }: RequestView): Failure =>
  new Failure('gone', 'NotFound', `${word} ${metadata.name} was deleted while it was waited for`);
