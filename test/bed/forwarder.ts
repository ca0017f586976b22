/**
 * Program: runs in the hub's network namespace and is handed a listener that was opened in the host's
 * (a socket stays in the namespace it was made in), so 127.0.0.1 of the host reaches the API server
 * without any interface between the two.
 */
import { connect, Server, type Socket } from 'node:net';

const [host = '', port = ''] = process.argv.slice(2);

function join(client: Socket): void {
  const server = connect({ host, port: Number(port) });
  // Either end failing ends both; the client then sees what it would have seen from the server.
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    from.setNoDelay(true);
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
    from.pipe(to);
  }
}

process.once('message', (_text: unknown, handle: unknown) => {
  if (!(handle instanceof Server)) throw new Error('expected a listener from the parent');
  handle.on('connection', join);
  process.send?.('listening');
});
