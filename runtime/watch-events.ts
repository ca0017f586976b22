import { Failure } from '../core/failure.ts';
import type { WatchEvent } from './kube-port.ts';
import { isRecord } from './raw-object.ts';

const types = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'] as const;

/** An object has at most a few MiB; a line that grows beyond this is no watch. */
const longestLineBytes = 64 * 1024 * 1024;

/** Watch events from a stream of bytes cut anywhere. A line that is not an event, or a stream that ends inside a line, is a `retry` failure, never silence. */
export async function* watchEvents(bytes: AsyncIterable<Uint8Array>): AsyncIterable<WatchEvent> {
  let parts: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const chunk of bytes) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      parts.push(chunk.subarray(start, end));
      const line = Buffer.concat(parts).toString('utf8');
      parts = [];
      heldBytes = 0;
      start = end + 1;
      if (line.trim() !== '') yield parseEvent(line);
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
    heldBytes += chunk.length - start;
    if (heldBytes > longestLineBytes) throw broken('a line without end', '');
  }
  const rest = Buffer.concat(parts).toString('utf8');
  if (rest.trim() !== '') throw broken('the stream ended inside a line', rest);
}

function parseEvent(line: string): WatchEvent {
  const event = parseJson(line);
  if (isRecord(event) && isRecord(event.object)) {
    const type = types.find((each) => each === event.type);
    if (type !== undefined) return { type, object: event.object };
  }
  throw broken('a line that is no watch event', line);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw broken('a line that is not JSON', line, error);
  }
}

function broken(what: string, line: string, cause?: unknown): Failure {
  return new Failure('retry', 'WatchBroken', `watch: ${what}: ${line.slice(0, 100)}`, { cause });
}
