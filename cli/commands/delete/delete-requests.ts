import { createInterface } from 'node:readline/promises';
import { isFailure } from '../../../core/failure.ts';
import { complain } from '../../complaint.ts';
import type { KubeSession } from '../../kube-session.ts';
import { type OutputForm, typedName } from '../../output.ts';
import { awaitRequest } from '../../request/await-end.ts';
import { findRequest, requestKey } from '../../request/named.ts';
import { type RequestView, requestKinds } from '../../request/view.ts';
import { printable } from '../../table.ts';
import { type ExitCode, exitCodes } from '../../terminal.ts';
import { lossOf } from './loss.ts';

export type DeleteWish = {
  readonly yes: boolean;
  readonly wait: boolean;
  readonly output: OutputForm;
  readonly timeoutMilliseconds: number;
};

/** `delete`: each of the names, also when one of them cannot be; ends with the code of the first that could not. */
export async function deleteRequests(
  session: KubeSession,
  names: readonly string[],
  wish: DeleteWish,
): Promise<ExitCode> {
  let code: ExitCode = exitCodes.done;
  for (const name of names) {
    try {
      const ended = await deleteRequest(session, await findRequest(session, name), wish);
      if (code === exitCodes.done) code = ended;
    } catch (error) {
      if (names.length === 1 || !isFailure(error) || session.terminal.signal.aborted) throw error;
      const complained = complain(error, session.terminal);
      if (code === exitCodes.done) code = complained;
    }
  }
  return code;
}

async function deleteRequest(
  session: KubeSession,
  found: RequestView,
  wish: DeleteWish,
): Promise<ExitCode> {
  const { terminal, kube } = session;
  const { name, uid } = found.metadata;
  const { kind } = requestKinds[found.word];
  const loss = lossOf(found);
  if (loss !== undefined && !wish.yes && terminal.answers && !(await agreed(session, loss))) {
    terminal.errors.write('Nothing was deleted.\n');
    return exitCodes.failed;
  }
  const key = requestKey(session, found.word, name);
  // Of the one whose loss was agreed to, and of no other that has its name by now.
  await kube.delete(key, { uid }, terminal.signal);
  const shown = typedName(kind, name);
  if (!wish.wait) {
    terminal.output.write(wish.output === 'name' ? `${shown}\n` : `${shown} is being deleted\n`);
    return exitCodes.done;
  }
  const { timeoutMilliseconds } = wish;
  const isEnd = (view: RequestView | undefined): boolean => view === undefined;
  await awaitRequest(session, found, { isEnd, timeoutMilliseconds });
  terminal.output.write(wish.output === 'name' ? `${shown}\n` : `${shown} deleted\n`);
  return exitCodes.done;
}

async function agreed({ terminal }: KubeSession, loss: string): Promise<boolean> {
  const { input, errors, signal } = terminal;
  const asking = createInterface({ input, output: errors });
  try {
    const answer = await asking.question(`${printable(loss)} Delete it? [y/N] `, { signal });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    asking.close();
  }
}
