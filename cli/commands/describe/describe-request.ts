import { kinds } from '../../../core/api/kinds.ts';
import { parsePodRestore } from '../../../core/api/pod-restore.ts';
import { parsePodSnapshot } from '../../../core/api/pod-snapshot.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../../../core/api/pod-snapshot-content.ts';
import { errorText, isFailure } from '../../../core/failure.ts';
import type { KubeSession } from '../../kube-session.ts';
import { painted } from '../../paint.ts';
import { parsedOr } from '../../read-object.ts';
import { findRequest, requestKey } from '../../request/named.ts';
import type { End } from '../../request/standing.ts';
import type { RequestView } from '../../request/view.ts';
import { type ExitCode, exitCodes } from '../../terminal.ts';
import { eventsOf } from './events.ts';
import { type KindParts, requestText } from './request-text.ts';
import { restoreParts } from './restore-text.ts';
import { snapshotParts } from './snapshot-text.ts';

/** How an end looks on a terminal. */
const colours = { succeeded: 'green', cold: 'yellow', failed: 'red' } as const satisfies Record<
  End,
  string
>;

/** `describe`: the request, its work order where that may be read, its events. */
export async function describeRequest(session: KubeSession, name: string): Promise<ExitCode> {
  const view = await findRequest(session, name);
  const { output } = session.terminal;
  const events = await orNotice(session, 'its events', () => eventsOf(session, view.metadata.uid));
  const parts = await partsOf(session, view);
  const paint = (state: string): string => {
    const { end } = view.standing;
    return end === undefined ? state : painted(output, colours[end], state);
  };
  output.write(requestText(view, parts, events ?? [], { now: session.now(), paint }));
  return exitCodes.done;
}

async function partsOf(session: KubeSession, view: RequestView): Promise<KindParts> {
  const key = requestKey(session, view.word, view.metadata.name);
  if (view.word === 'snapshot') {
    const snapshot = parsedOr(key, parsePodSnapshot(view.raw));
    const { boundSnapshotContentName: content } = snapshot.status;
    return snapshotParts(
      snapshot,
      content === undefined
        ? undefined
        : await orNotice(session, 'its work order', () => readContent(session, content)),
    );
  }
  if (view.word === 'restore') return restoreParts(parsedOr(key, parsePodRestore(view.raw)));
  const facts = [['From', view.from] as const, ['Snapshot', view.to] as const];
  return { facts, sections: [] };
}

async function readContent(session: KubeSession, name: string): Promise<PodSnapshotContent> {
  const key = { kind: kinds.podSnapshotContent, namespace: '', name };
  return parsedOr(
    key,
    parsePodSnapshotContent(await session.kube.get(key, session.terminal.signal)),
  );
}

/** What is shown beside the request may be hidden from the user, or gone: that hides not the rest. */
async function orNotice<T>(
  { terminal }: KubeSession,
  what: string,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isFailure(error, 'terminal', 'gone')) throw error;
    terminal.errors.write(`Without ${what}: ${errorText(error)}\n`);
    return undefined;
  }
}
