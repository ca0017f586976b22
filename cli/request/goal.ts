import * as z from 'zod';
import { conditionSchema } from '../../core/api/conditions.ts';
import { recordAt } from '../../runtime/raw-object.ts';
import type { RequestView, RequestWord } from './view.ts';

/** What `wait --for` waits for. */
export type Goal =
  | { readonly is: 'ready' | 'restored' | 'ended' | 'deleted' }
  | { readonly is: 'condition'; readonly type: string; readonly status: string };

/** Whether it is so, may become so, or cannot any more. */
export type Verdict = 'reached' | 'open' | 'missed';

/** `ready`, `condition=Failed`, `condition=Ready=False` -> goal; undefined for anything else. Pure. */
export function parseGoal(text: string): Goal | undefined {
  const is = (['ready', 'restored', 'ended', 'deleted'] as const).find((word) => word === text);
  if (is !== undefined) return { is };
  const [, type, status = 'True'] = /^condition=([A-Za-z][\w./-]*)(?:=(\w+))?$/.exec(text) ?? [];
  return type === undefined ? undefined : { is: 'condition', type, status };
}

/** What is waited for unless told. */
export const usualGoal = {
  snapshot: { is: 'ready' },
  restore: { is: 'restored' },
  checkpoint: { is: 'ready' },
  job: { is: 'ready' },
} as const satisfies Record<RequestWord, Goal>;

const conditionsSchema = z.array(conditionSchema).catch([]);

/** How a request stands to a goal; undefined: it is gone. Pure. */
export function verdictOn(view: RequestView | undefined, goal: Goal): Verdict {
  if (goal.is === 'deleted') return view === undefined ? 'reached' : 'open';
  if (view === undefined) return 'missed';
  const { end } = view.standing;
  if (goal.is === 'ended') return end === undefined ? 'open' : 'reached';
  if (goal.is === 'condition') {
    const conditions = conditionsSchema.parse(recordAt(view.raw, 'status').conditions);
    // Whatever the case of the letters, as kubectl wait has it.
    const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
    const found = conditions.find(({ type }) => same(type, goal.type));
    if (found !== undefined && same(found.status, goal.status)) return 'reached';
    // A Ready that ended may still become False: its bytes can be found damaged.
    return end === 'failed' ? 'missed' : 'open';
  }
  if (end === undefined) return 'open';
  return end === 'succeeded' ? 'reached' : 'missed';
}

/** Why a goal makes no sense for a kind; undefined where it does. */
export function mismatch(word: RequestWord, goal: Goal): string | undefined {
  if (goal.is === 'ready' && word === 'restore') return 'a restore is restored, never ready';
  if (goal.is === 'restored' && word !== 'restore') return `a ${word} is ready, never restored`;
  return undefined;
}
