import type { OpenFile } from '../../agent/criu-images/files.ts';
import type { Endpoint } from '../../agent/criu-images/sockets.ts';

/** Access modes and the flags of open(2) that people ask for, on the machines CRIU runs on. */
const accessModes = ['r', 'w', 'rw', 'rw'] as const;
const flagNames = [
  [0o2000, 'append'],
  [0o4000, 'nonblocking'],
  [0o40000, 'direct'],
  [0o200000, 'directory'],
  [0o4010000, 'sync'],
] as const;

/** `rw,append`, as a table shows how a file is open. */
export const flagsText = (flags: number): string =>
  [
    accessModes[flags & 3] ?? '',
    ...flagNames.flatMap(([bits, name]) => ((flags & bits) === bits ? [name] : [])),
  ].join(',');

/** `127.0.0.1:80`, `[::1]:80`; `*` for any port. */
export const endpointText = ({ address, port }: Endpoint): string =>
  `${address.includes(':') ? `[${address}]` : address}:${port === 0 ? '*' : port}`;

/** What an open file is, in one cell. */
export function openFileText(file: OpenFile): string {
  switch (file.kind) {
    case 'file':
      return file.path;
    case 'pipe':
    case 'fifo':
      return `${file.kind}:[${file.pipeID}]`;
    case 'eventfd':
      return `counter ${file.counter}`;
    case 'epoll':
      return `watches ${file.watched.join(' ')}`;
    case 'inotify':
      return `${file.watches} ${file.watches === 1 ? 'watch' : 'watches'}`;
    case 'inet':
      return `${endpointText(file.local)} ${endpointText(file.remote)}`;
    case 'unix':
      return file.name;
    case 'unknown':
      return `type ${file.type}`;
    default:
      return '';
  }
}
