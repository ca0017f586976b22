import { Failure, isFailure } from '../../core/failure.ts';
import type { ObjectKey } from '../../runtime/kube-port.ts';
import { readRaw } from '../../runtime/read-raw.ts';
import { closeNames } from '../close-names.ts';
import { RemediedFailure, usageFailure } from '../complaint.ts';
import type { KubeSession } from '../kube-session.ts';
import { namesOf, parsedOr } from '../read-object.ts';
import {
  type RequestView,
  type RequestWord,
  requestKinds,
  requestView,
  requestWords,
} from './view.ts';

/** What people and kubectl call each kind. */
const aliases: Readonly<Record<RequestWord, readonly string[]>> = {
  snapshot: ['snapshot', 'snapshots', 'podsnapshot', 'podsnapshots', 'podsnap'],
  restore: ['restore', 'restores', 'podrestore', 'podrestores'],
  checkpoint: ['checkpoint', 'checkpoints', 'dynamocheckpoint', 'dynamocheckpoints', 'dckpt'],
  job: ['job', 'jobs', 'snapshotjob', 'snapshotjobs', 'snapjob'],
};

/** `snapshots`, `podsnap`, `podsnapshot.nvidia.com` -> `snapshot`; undefined for what is none of ours. */
export function requestWord(text: string): RequestWord | undefined {
  const [plain = ''] = text.toLowerCase().split('.');
  return requestWords.find((word) => aliases[word].includes(plain));
}

/** The kinds that a bare name may mean. The others are named with their kind: a DynamoCheckpoint and its snapshot have one name. */
const bareWords: readonly RequestWord[] = ['snapshot', 'restore'];

/** A request as the user named it: `NAME` or `KIND/NAME`. */
export type Named = { readonly words: readonly RequestWord[]; readonly name: string };

/** Reads `NAME`, `snapshot/NAME`, `podrestore.cryopod.dev/NAME`. */
export function parseNamed(text: string): Named {
  const slash = text.indexOf('/');
  if (slash < 0) return { words: bareWords, name: text };
  const word = requestWord(text.slice(0, slash));
  const name = text.slice(slash + 1);
  if (word === undefined || name === '' || name.includes('/')) {
    throw usageFailure(
      `${text}: must be NAME, or KIND/NAME with one of ${requestWords.join(', ')}`,
    );
  }
  return { words: [word], name };
}

/** Where an object of a kind is, in the namespace of the session. */
export const requestKey = (
  { namespace }: KubeSession,
  word: RequestWord,
  name: string,
): ObjectKey => ({ kind: requestKinds[word].kind, namespace, name });

/** The one request that is meant. Throws a failure that names what is close, or what else it may be. */
export async function findRequest(session: KubeSession, text: string): Promise<RequestView> {
  const { words, name } = parseNamed(text);
  const found: RequestView[] = [];
  let hidden: unknown;
  for (const word of words) {
    try {
      const view = await readRequest(session, word, name);
      if (view !== undefined) found.push(view);
    } catch (error) {
      // Who may read only one of the kinds that a name may be of can mean only that one.
      if (!isFailure(error) || !['Forbidden', 'KindNotServed'].includes(error.reason)) throw error;
      hidden ??= error;
    }
  }
  if (found.length === 0 && hidden !== undefined) throw hidden;
  const [only, ...others] = found;
  if (only === undefined) throw await notFound(session, words, name);
  if (others.length === 0) return only;
  const choices = found.map(({ word }) => `${word}/${name}`).join(' or ');
  throw usageFailure(`there is more than one ${name}: say ${choices}`);
}

async function readRequest(
  session: KubeSession,
  word: RequestWord,
  name: string,
): Promise<RequestView | undefined> {
  const key = requestKey(session, word, name);
  const raw = await readRaw(session.kube, key, session.terminal.signal);
  return raw === undefined ? undefined : parsedOr(key, requestView(word, raw));
}

async function notFound(
  session: KubeSession,
  words: readonly RequestWord[],
  name: string,
): Promise<Failure> {
  const message = `no ${words.join(' and no ')} ${name} in namespace ${session.namespace}`;
  const failure = new Failure('gone', 'NotFound', message);
  const known: { readonly word: RequestWord; readonly name: string }[] = [];
  for (const word of requestWords) {
    // Who may get one by its name need not have the right to list them all.
    const names = await namesOf(session, requestKinds[word].kind).catch(() => []);
    known.push(...names.map((one) => ({ word, name: one })));
  }
  const elsewhere = known.filter((one) => one.name === name);
  const near = closeNames(
    name,
    known.filter(({ word }) => words.includes(word)).map((one) => one.name),
  );
  const meant = [...elsewhere.map((one) => `${one.word}/${one.name}`), ...near];
  return meant.length === 0
    ? new RemediedFailure(failure, 'See cryopod list, and -n for another namespace.')
    : new RemediedFailure(failure, `Did you mean ${[...new Set(meant)].join(', ')}?`);
}
