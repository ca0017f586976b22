import * as z from 'zod';
import { kinds } from '../../../core/api/kinds.ts';
import type { KubeSession } from '../../kube-session.ts';

/** So many of the latest are shown. */
const shownEvents = 20;
const listedEvents = 500;

const eventSchema = z.looseObject({
  metadata: z.looseObject({ creationTimestamp: z.string().nullish() }),
  type: z.string().default('Normal'),
  reason: z.string().default(''),
  note: z.string().default(''),
  eventTime: z.string().nullish(),
  deprecatedLastTimestamp: z.string().nullish(),
  series: z.looseObject({ count: z.number(), lastObservedTime: z.string() }).nullish(),
});

/** Something that happened to a request, told `count` times, last at `at`. */
export type EventLine = {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly at: string;
};

/** The events of an object, oldest first. */
export async function eventsOf(session: KubeSession, uid: string): Promise<readonly EventLine[]> {
  const { items } = await session.kube.list(
    {
      ...{ kind: kinds.event, namespace: session.namespace, limit: listedEvents },
      fieldSelector: `regarding.uid=${uid}`,
    },
    session.terminal.signal,
  );
  return items
    .flatMap((raw) => {
      const parsed = eventSchema.safeParse(raw);
      return parsed.success ? [lineOf(parsed.data)] : [];
    })
    .sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
    .slice(-shownEvents);
}

function lineOf({
  metadata,
  type,
  reason,
  note,
  ...times
}: z.infer<typeof eventSchema>): EventLine {
  const at =
    times.series?.lastObservedTime ??
    times.eventTime ??
    times.deprecatedLastTimestamp ??
    metadata.creationTimestamp;
  return { type, reason, message: note, count: times.series?.count ?? 1, at: at ?? '' };
}
