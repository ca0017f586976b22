import { isFailure } from '../../../core/failure.ts';
import type { Page } from '../../../runtime/kube-port.ts';
import { complain } from '../../complaint.ts';
import type { KubeSession } from '../../kube-session.ts';
import { type OutputForm, objectsText } from '../../output.ts';
import {
  type RequestView,
  type RequestWord,
  requestKinds,
  requestView,
} from '../../request/view.ts';
import { type ExitCode, exitCodes } from '../../terminal.ts';
import { columnsOf } from './columns.ts';

const pageLimit = 500;

export type ListWish = {
  readonly words: readonly RequestWord[];
  readonly selector: string | undefined;
  readonly output: OutputForm;
  readonly allNamespaces: boolean;
};

/** `list`: one kind that may not be read does not hide the others. */
export async function listRequests(session: KubeSession, wish: ListWish): Promise<ExitCode> {
  const { terminal } = session;
  const views: RequestView[] = [];
  let code: ExitCode = exitCodes.done;
  for (const word of wish.words) {
    try {
      views.push(...(await viewsOf(session, word, wish)));
    } catch (error) {
      // Whoever does not answer for one kind does not for the next.
      if (wish.words.length === 1 || !isFailure(error) || isUnreachable(error.reason)) throw error;
      code = complain(error, terminal);
    }
  }
  if (views.length === 0 && ['table', 'wide'].includes(wish.output)) {
    const where = wish.allNamespaces ? 'in the cluster' : `in namespace ${session.namespace}`;
    if (code === exitCodes.done) terminal.errors.write(`Nothing found ${where}.\n`);
    return code;
  }
  views.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  const shown = views.map((row) => ({ kind: requestKinds[row.word].kind, raw: row.raw, row }));
  const columns = columnsOf(wish.words, wish.allNamespaces, session.now());
  terminal.output.write(objectsText(wish.output, shown, columns));
  return code;
}

const isUnreachable = (reason: string): boolean =>
  ['ConnectionFailed', 'Timeout', 'Unauthorized'].includes(reason);

/** Oldest first; those of one second by name. */
const order = ({ metadata }: RequestView): string =>
  `${metadata.creationTimestamp} ${metadata.namespace ?? ''} ${metadata.name}`;

async function viewsOf(
  session: KubeSession,
  word: RequestWord,
  { selector, allNamespaces }: ListWish,
): Promise<readonly RequestView[]> {
  const { kube, namespace, terminal } = session;
  const selection = {
    kind: requestKinds[word].kind,
    ...(allNamespaces ? {} : { namespace }),
    ...(selector === undefined ? {} : { labelSelector: selector }),
  };
  const views: RequestView[] = [];
  let page: Page | undefined;
  do {
    const next = page === undefined ? {} : { continue: page.continue };
    page = await kube.list({ ...selection, limit: pageLimit, ...next }, terminal.signal);
    for (const raw of page.items) {
      const parsed = requestView(word, raw);
      if (parsed.ok) views.push(parsed.value);
      else terminal.errors.write(`Warning: a ${word} does not parse: ${parsed.message}\n`);
    }
  } while (page.continue !== '');
  return views;
}
