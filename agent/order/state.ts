import type { OrderDeps } from './deps.ts';
import type { PublishTurns } from './publish-turns.ts';
import type { OrderBook } from './record.ts';
import type { TurnQueue } from './turn.ts';

/** What the reconciles of this process share. */
export type OrderState = {
  readonly deps: OrderDeps;
  readonly book: OrderBook;
  readonly turns: TurnQueue;
  readonly publishTurns: PublishTurns;
  /** Asks for another look at an order, by the name of its content. */
  readonly enqueue: (contentName: string) => void;
};
