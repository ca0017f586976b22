import {
  type HeaderForm,
  headerForm,
  isClose,
  type Message,
  ProtocolError,
  pageBytes,
  parseMessage,
  runFlags,
  type Target,
} from './protocol.ts';

/** What a dump's connection says, in order. `pages` are views of the chunk they came in, some or all of the run before them. */
export type Part = Message | { readonly kind: 'pages'; readonly bytes: Uint8Array };

const shortestHeader = 24;
const longestHeader = 32;

/** Takes a dump's connection apart, cut anywhere. Keeps no page: only a header that has not come in full. */
export class PageStreamParser {
  #form: HeaderForm | undefined;
  #target: Target | undefined;
  readonly #header = new Uint8Array(longestHeader);
  #headerFilled = 0;
  #pageBytesLeft = 0;
  #closed = false;

  /** Which headers the peer sends; undefined before its first. */
  get form(): HeaderForm | undefined {
    return this.#form;
  }

  /** The parts that the chunk completes or continues. Throws ProtocolError; nothing can be read after that. */
  *read(chunk: Uint8Array): Generator<Part> {
    let at = 0;
    // What follows a close is padding of a header whose form was never known.
    while (at < chunk.length && !this.#closed) {
      if (this.#pageBytesLeft > 0) {
        const bytes = chunk.subarray(at, at + this.#pageBytesLeft);
        this.#pageBytesLeft -= bytes.length;
        at += bytes.length;
        yield { kind: 'pages', bytes };
        continue;
      }
      const missing = (this.#form ?? shortestHeader) - this.#headerFilled;
      const piece = chunk.subarray(at, at + missing);
      this.#header.set(piece, this.#headerFilled);
      this.#headerFilled += piece.length;
      at += piece.length;
      if (piece.length === missing) {
        const message = this.#message();
        if (message !== undefined) yield message;
      }
    }
  }

  /** The message of the header gathered; undefined when it is the first one and turns out to be of the long form. */
  #message(): Message | undefined {
    const view = new DataView(this.#header.buffer);
    if (this.#form === undefined && !isClose(view)) {
      this.#form = headerForm(view);
      if (this.#form > this.#headerFilled) return undefined;
    }
    this.#headerFilled = 0;
    const message = parseMessage(view, this.#form ?? shortestHeader);
    if (message.kind === 'open') this.#target = message.target;
    if (message.kind === 'close') this.#closed = true;
    if (message.kind === 'run') this.#begin(message);
    return message;
  }

  #begin(message: Extract<Message, { kind: 'run' }>): void {
    const { target, run } = message;
    if (target.id !== this.#target?.id || target.kind !== this.#target.kind) {
      throw new ProtocolError(`pages came for ${target.kind} ${target.id}, which is not open`);
    }
    this.#pageBytesLeft = (run.flags & runFlags.present) === 0 ? 0 : run.pages * pageBytes;
  }
}
