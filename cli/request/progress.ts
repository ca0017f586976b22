import type { KubeSession } from '../kube-session.ts';
import { ProgressLine } from '../progress-line.ts';
import { printable } from '../table.ts';
import { progressBar, progressText } from './progress-text.ts';
import type { RequestView } from './view.ts';

/** Between two lines of the same stage where nobody watches: a log is to be read afterwards. */
const quietMilliseconds = 10_000;

/** Tells on `errors` how far a request is: a bar that is drawn over on a terminal, elsewhere a line a stage and every ten seconds. */
export class RequestProgress {
  readonly #session: KubeSession;
  readonly #line: ProgressLine;
  #saidStage = '';
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(session: KubeSession) {
    this.#session = session;
    this.#line = new ProgressLine(session.terminal);
  }

  show(view: RequestView): void {
    const { terminal, now } = this.#session;
    if (terminal.watched) {
      this.#line.draw(progressBar(view, now(), terminal.columns()));
      return;
    }
    const stage = `${view.standing.state} ${view.standing.reason}`;
    const at = terminal.now();
    if (stage === this.#saidStage && at - this.#saidAt < quietMilliseconds) return;
    this.#saidStage = stage;
    this.#saidAt = at;
    terminal.errors.write(`${printable(progressText(view, now()))}\n`);
  }

  /** Removes the bar, so that what follows stands alone. */
  clear(): void {
    this.#line.clear();
  }
}
