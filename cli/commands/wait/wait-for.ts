import { isFailure } from '../../../core/failure.ts';
import { usageFailure } from '../../complaint.ts';
import type { KubeSession } from '../../kube-session.ts';
import { doneText, type OutputForm, typedName } from '../../output.ts';
import { awaitRequest, endedAs, goneBeforeEnd } from '../../request/await-end.ts';
import { type Goal, mismatch, usualGoal, verdictOn } from '../../request/goal.ts';
import { findRequest } from '../../request/named.ts';
import { requestKinds } from '../../request/view.ts';
import { type ExitCode, exitCodes } from '../../terminal.ts';

/** `wait`: until the goal is reached; fails as soon as it cannot be any more. */
export async function waitFor(
  session: KubeSession,
  name: string,
  wish: {
    readonly goal: Goal | undefined;
    readonly output: OutputForm;
    readonly timeoutMilliseconds: number;
  },
): Promise<ExitCode> {
  const start = await findRequest(session, name).catch((error: unknown) => {
    if (wish.goal?.is === 'deleted' && isFailure(error, 'gone')) return undefined;
    throw error;
  });
  if (start === undefined) {
    session.terminal.errors.write(`${name} is not there.\n`);
    return exitCodes.done;
  }
  const goal = wish.goal ?? usualGoal[start.word];
  const odd = mismatch(start.word, goal);
  if (odd !== undefined) throw usageFailure(`--for ${goal.is}: ${odd}`);
  const end = await awaitRequest(session, start, {
    timeoutMilliseconds: wish.timeoutMilliseconds,
    isEnd: (view) => verdictOn(view, goal) !== 'open',
  });
  const { kind } = requestKinds[start.word];
  const { output } = session.terminal;
  if (verdictOn(end, goal) === 'missed')
    throw end === undefined ? goneBeforeEnd(start) : endedAs(end);
  if (end === undefined) output.write(`${typedName(kind, start.metadata.name)} deleted\n`);
  else output.write(doneText(wish.output, kind, end.raw, reachedText(goal, end.standing.state)));
  return exitCodes.done;
}

function reachedText(goal: Goal, state: string): string {
  if (goal.is === 'condition') return `${goal.type}=${goal.status}`;
  return goal.is === 'ended' ? `ended: ${state}` : goal.is;
}
