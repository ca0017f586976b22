import type { Writable } from 'node:stream';
import { styleText } from 'node:util';

/** Text in a colour where `stream` is a terminal that shows colours, and NO_COLOR is not set; plain everywhere else. */
export function painted(
  stream: Writable,
  colour: 'red' | 'yellow' | 'green',
  text: string,
): string {
  if (!('isTTY' in stream) || stream.isTTY !== true) return text;
  return styleText(colour, text, { stream });
}
