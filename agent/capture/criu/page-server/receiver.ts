import type { Duplex } from 'node:stream';
import { errorText, Failure } from '../../../../core/failure.ts';
import { ImageWriter } from './image-writer.ts';
import { PageStreamParser, type Part } from './parser.ts';

/** Bytes in memory at which the peer has to wait, and those at which it may go on. */
const mostPendingBytes = 16 * 1024 * 1024;
const fewPendingBytes = 4 * 1024 * 1024;

const noParent = { open: Buffer.alloc(1), parent: Buffer.alloc(4) } as const;
const allReceived = Buffer.alloc(4);

/** The receiving end of one dump's pages. */
export type PageReceiver = {
  /** Resolves when the peer has said that it is done and every image is written and closed. Rejects with a Failure 'retry' otherwise. */
  readonly complete: Promise<void>;
  /** What went wrong on this side: a write, or a peer that does not keep to the protocol. Undefined while all is well, and where the peer just left. */
  trouble(): Failure | undefined;
  /** Ends the connection now; CRIU fails at its next page and sets the tree running. Idempotent. */
  close(): void;
};

/**
 * Receives the memory of a dump from CRIU's end of a connected stream and writes it into the images directory as CRIU would have done itself.
 * Never keeps CRIU waiting for anything but the writes: it waits for an answer without any deadline.
 */
export function receivePages(connection: Duplex, imagesDirectory: string): PageReceiver {
  const parser = new PageStreamParser();
  let waiting = false;
  let closing = false;
  let trouble: Failure | undefined;
  const ended = Promise.withResolvers<void>();
  const writer = new ImageWriter(imagesDirectory, () => {
    if (writer.failure !== undefined) return fail(writer.failure.error);
    if (!waiting || writer.pendingBytes > fewPendingBytes) return;
    waiting = false;
    connection.resume();
  });
  const fail = (error: unknown): void => {
    if (trouble !== undefined || closing) return;
    const full = /ENOSPC|EDQUOT/.test(errorText(error));
    const message = `the page server failed: ${errorText(error)}`;
    const reason = full ? 'StorageFull' : 'CheckpointFailed';
    trouble = new Failure('retry', reason, message, { cause: error });
    ended.reject(trouble);
    connection.destroy();
  };
  const finish = async (): Promise<void> => {
    try {
      await writer.finish();
    } catch (error) {
      return fail(error);
    }
    closing = true;
    ended.resolve();
    connection.end(allReceived);
  };
  const handle = (part: Part): void => {
    if (part.kind === 'pages') writer.pages(part.bytes);
    else if (part.kind === 'run') writer.run(part.run, parser.form ?? 32);
    else if (part.kind === 'parent') connection.write(noParent.parent);
    else if (part.kind === 'open') {
      writer.begin(part.target);
      connection.write(noParent.open);
    } else void finish();
  };
  connection.on('data', (chunk: Uint8Array) => {
    try {
      for (const part of parser.read(chunk)) handle(part);
    } catch (error) {
      return fail(error);
    }
    if (!waiting && writer.pendingBytes > mostPendingBytes) {
      waiting = true;
      connection.pause();
    }
  });
  // Of a connection that breaks CRIU itself has more to say; 'close' follows.
  connection.on('error', () => undefined);
  connection.on('close', () => {
    if (closing) return;
    const message = 'the connection of the page server ended before the dump did';
    ended.reject(new Failure('retry', 'CheckpointFailed', message));
    // Nobody reads what was written so far, but its files must not stay open.
    writer.finish().catch(() => undefined);
  });
  // Whoever waits for it hears of it; nobody waiting must not end the agent.
  ended.promise.catch(() => undefined);
  return {
    complete: ended.promise,
    trouble: () => trouble,
    close: () => void connection.destroy(),
  };
}
