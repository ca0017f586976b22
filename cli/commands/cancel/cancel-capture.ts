import { Failure } from '../../../core/failure.ts';
import { RemediedFailure, usageFailure } from '../../complaint.ts';
import type { KubeSession } from '../../kube-session.ts';
import { doneText, type OutputForm } from '../../output.ts';
import { parsedOr } from '../../read-object.ts';
import { awaitRequest, endedAs, goneBeforeEnd, isOver } from '../../request/await-end.ts';
import { findRequest, requestKey } from '../../request/named.ts';
import { type RequestView, requestKinds, requestView } from '../../request/view.ts';
import { type ExitCode, exitCodes } from '../../terminal.ts';

/** `cancel`: sets `spec.cancel` of the very snapshot that was read, and of no other of its name. */
export async function cancelCapture(
  session: KubeSession,
  name: string,
  wish: {
    readonly wait: boolean;
    readonly output: OutputForm;
    readonly timeoutMilliseconds: number;
  },
): Promise<ExitCode> {
  const found = await findRequest(session, name);
  refuse(found);
  const { kind } = requestKinds.snapshot;
  const { terminal } = session;
  const tell = (view: RequestView, done: string): void => {
    terminal.output.write(doneText(wish.output, kind, view.raw, done));
  };
  if (found.standing.reason === 'Cancelled') {
    tell(found, 'was cancelled before');
    return exitCodes.done;
  }
  const key = requestKey(session, 'snapshot', found.metadata.name);
  const body = { metadata: { uid: found.metadata.uid }, spec: { cancel: true } };
  const raw = await session.kube.patch(key, '', { type: 'merge', body }, terminal.signal);
  const asked = parsedOr(key, requestView('snapshot', raw));
  if (!wish.wait || wish.output === 'table') tell(asked, 'is being cancelled');
  if (!wish.wait) return exitCodes.done;
  const { timeoutMilliseconds } = wish;
  const end = await awaitRequest(session, asked, { isEnd: isOver, timeoutMilliseconds });
  if (end === undefined) throw goneBeforeEnd(asked);
  if (end.standing.reason !== 'Cancelled') throw endedAs(end);
  tell(end, 'cancelled');
  return exitCodes.done;
}

/** What cannot be cancelled, in words. */
function refuse({ word, metadata, standing }: RequestView): void {
  const { name } = metadata;
  if (word !== 'snapshot') {
    const failure = usageFailure(`a ${word} cannot be cancelled`);
    throw new RemediedFailure(failure, `Delete it: cryopod delete ${word}/${name}.`);
  }
  if (standing.end === undefined || standing.reason === 'Cancelled') return;
  const failure = new Failure(
    'terminal',
    'Ended',
    `snapshot ${name} has ended (${standing.state}): there is no capture to cancel`,
  );
  throw new RemediedFailure(failure, `To remove it: cryopod delete snapshot/${name}.`);
}
