import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apiServiceAddress } from './network.ts';
import { bedPaths, netnsPath } from './paths.ts';
import type { ProcessIdentity } from './proc-stat.ts';
import { adopt } from './process.ts';

/** A running forwarder and the port of 127.0.0.1 that it serves. */
export type Forwarder = { readonly identity: ProcessIdentity; readonly port: number };

/** Starts the bed's way in from the host; `port` 0 takes a free one. */
export async function startForwarder(bed: string, port: number): Promise<Forwarder> {
  const listener = createServer();
  listener.listen({ host: '127.0.0.1', port });
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port to listen on');
  const log = openSync(join(bedPaths(bed).logDirectory, 'forwarder.log'), 'a');
  try {
    const child = fork(
      fileURLToPath(new URL('forwarder.ts', import.meta.url)),
      [apiServiceAddress, '443'],
      {
        execPath: 'nsenter',
        execArgv: [`--net=${netnsPath(bed, 'hub')}`, '--', process.execPath],
        detached: true,
        stdio: ['ignore', log, log, 'ipc'],
        env: { PATH: process.env.PATH, CRYOPOD_BED: bed },
      },
    );
    const identity = await adopt(child);
    child.send('listener', listener);
    await once(child, 'message');
    child.disconnect();
    return { identity, port: address.port };
  } finally {
    closeSync(log);
    listener.close();
  }
}
