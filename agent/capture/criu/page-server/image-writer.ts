import { type FileHandle, open } from 'node:fs/promises';
import { pagemapHead, pagemapName, pagemapRun, pagesName } from './pagemap.ts';
import type { HeaderForm, Run, Target } from './protocol.ts';

/** Notes of runs are gathered up to this size before they are written; there are thousands of them to a process. */
const gatheredBytes = 64 * 1024;
/** One write takes no more than the kernel does (IOV_MAX). */
const mostBuffers = 1024;

type Image = { readonly name: string; file: FileHandle | undefined; length: number };
type Step =
  | { readonly do: 'write'; readonly image: Image; readonly bytes: Uint8Array }
  | { readonly do: 'close'; readonly image: Image };

/**
 * Writes the images that CRIU would have written itself, in the order given, one write at a time, each with all that has come meanwhile.
 * Nothing waits for it: who feeds it looks at `pendingBytes` and is told when something was written.
 */
export class ImageWriter {
  readonly #directory: string;
  readonly #moved: () => void;
  #steps: Step[] = [];
  #pendingBytes = 0;
  #working: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #images = 0;
  #pagemap: Image | undefined;
  #pages: Image | undefined;
  #notes: Uint8Array[] = [];
  #notesBytes = 0;

  /** `moved` is called after every write, and once when writing fails. */
  constructor(directory: string, moved: () => void) {
    this.#directory = directory;
    this.#moved = moved;
  }

  /** Bytes taken and not yet written. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** What went wrong; from then on everything is dropped. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** Goes on to the images of the next target; an image of that name must not be there yet. */
  begin(target: Target): void {
    this.#closeImages();
    this.#images += 1;
    this.#pagemap = { name: pagemapName(target), file: undefined, length: 0 };
    this.#pages = { name: pagesName(this.#images), file: undefined, length: 0 };
    this.#note(pagemapHead(this.#images));
    // CRIU makes both files at once, so one without pages is there as well.
    this.#add({ do: 'write', image: this.#pages, bytes: new Uint8Array() });
  }

  run(run: Run, form: HeaderForm): void {
    this.#note(pagemapRun(run, form));
  }

  pages(bytes: Uint8Array): void {
    if (this.#pages !== undefined) this.#add({ do: 'write', image: this.#pages, bytes });
  }

  /** Resolves when everything is written and closed; rejects with what went wrong. */
  async finish(): Promise<void> {
    this.#closeImages();
    await this.#working;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #note(bytes: Uint8Array): void {
    this.#notes.push(bytes);
    this.#notesBytes += bytes.length;
    if (this.#notesBytes >= gatheredBytes) this.#flushNotes();
  }

  #flushNotes(): void {
    if (this.#pagemap === undefined || this.#notes.length === 0) return;
    this.#add({ do: 'write', image: this.#pagemap, bytes: Buffer.concat(this.#notes) });
    this.#notes = [];
    this.#notesBytes = 0;
  }

  #closeImages(): void {
    this.#flushNotes();
    for (const image of [this.#pagemap, this.#pages]) {
      if (image !== undefined) this.#add({ do: 'close', image });
    }
    this.#pagemap = undefined;
    this.#pages = undefined;
  }

  #add(step: Step): void {
    // After a failure only closing still makes sense.
    if (this.#failure !== undefined && step.do === 'write') return;
    this.#steps.push(step);
    if (step.do === 'write') this.#pendingBytes += step.bytes.length;
    this.#working ??= this.#work();
  }

  async #work(): Promise<void> {
    // One turn later, so that everything one chunk brings is written together.
    await Promise.resolve();
    for (let steps = this.#take(); steps.length > 0; steps = this.#take()) {
      try {
        await this.#perform(steps);
      } catch (error) {
        this.#failure ??= { error };
        this.#steps = this.#steps.filter((step) => step.do === 'close');
        this.#pendingBytes = 0;
      }
      this.#moved();
    }
    this.#working = undefined;
  }

  /** The next step, with all that follow it into the same image. */
  #take(): readonly Step[] {
    const [first] = this.#steps;
    if (first === undefined) return [];
    const end = this.#steps.findIndex(
      (step, index) => index === mostBuffers || step.image !== first.image || step.do !== first.do,
    );
    return this.#steps.splice(0, end === -1 ? this.#steps.length : end);
  }

  async #perform(steps: readonly Step[]): Promise<void> {
    const [first] = steps;
    if (first === undefined) return;
    const { image } = first;
    if (first.do === 'close') {
      await image.file?.close();
      return;
    }
    image.file ??= await open(`${this.#directory}/${image.name}`, 'wx', 0o600);
    const buffers = steps.flatMap((step) => (step.do === 'write' ? [step.bytes] : []));
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    await writeAll(image.file, buffers, image.length);
    image.length += bytes;
    this.#pendingBytes -= bytes;
  }
}

/** A write may take less than it was given: the rest is offered again until there is an error. */
async function writeAll(
  file: FileHandle,
  buffers: readonly Uint8Array[],
  position: number,
): Promise<void> {
  let left = buffers.filter((buffer) => buffer.length > 0);
  let at = position;
  while (left.length > 0) {
    const { bytesWritten } = await file.writev(left, at);
    if (bytesWritten === 0) throw new Error('a write took nothing');
    at += bytesWritten;
    left = without(left, bytesWritten);
  }
}

/** The buffers less their first bytes. */
export function without(buffers: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes;
  return buffers.flatMap((buffer) => {
    const rest = buffer.subarray(Math.min(skip, buffer.length));
    skip -= buffer.length - rest.length;
    return rest.length === 0 ? [] : [rest];
  });
}
