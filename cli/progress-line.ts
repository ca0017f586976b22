import { formatBytes } from '../core/units.ts';
import { printable } from './table.ts';
import type { Terminal } from './terminal.ts';

const redrawMilliseconds = 100;

/** One line on a watched terminal that is drawn over again and again; nothing where nobody watches. */
export class ProgressLine {
  readonly #terminal: Terminal;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #shown = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** `bytesTotal`: undefined where nobody knows it. */
  show(what: string, bytesDone: number, bytesTotal: number | undefined): void {
    const { watched, now } = this.#terminal;
    const at = now();
    if (!watched || (at - this.#drawnAt < redrawMilliseconds && bytesDone !== bytesTotal)) return;
    this.#drawnAt = at;
    this.draw(`${what}: ${amount(bytesDone, bytesTotal)}`);
  }

  /** Any text in the place of the line. */
  draw(text: string): void {
    this.#shown = true;
    this.#terminal.errors.write(`\r\u001b[K${printable(text)}`);
  }

  /** Removes the line, so that what follows stands alone. */
  clear(): void {
    if (this.#shown) this.#terminal.errors.write('\r\u001b[K');
    this.#shown = false;
  }
}

function amount(done: number, total: number | undefined): string {
  if (total === undefined) return formatBytes(done);
  const share = total === 0 ? 100 : Math.floor((100 * done) / total);
  return `${formatBytes(done)} of ${formatBytes(total)}, ${share} %`;
}
