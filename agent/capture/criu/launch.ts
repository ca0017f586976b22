import { closeSync, constants, openSync, readlinkSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { errorText, Failure } from '../../../core/failure.ts';
import type { ProcessIdentity } from '../../proc/identity.ts';
import { identify } from '../../proc/process-table.ts';
import { type Detached, startDetached } from '../../proc/run.ts';
import type { MemoryPath } from './arguments.ts';
import { type Cgroup, enterCgroup } from './cgroup.ts';
import { launchScript } from './hold.ts';

/** CRIU about to run, or running, and the two pipes to its hold. */
export type Launched = {
  readonly process: ProcessIdentity;
  /** Lets CRIU begin; until then nothing was frozen. */
  begin(): void;
  /** True when every task stands still and nothing is dumped yet, false when CRIU ended before; only told when it is one of several. Never rejects. */
  readonly seized: Promise<boolean>;
  /** Lets it dump: it is one of several, and all stand still. */
  proceed(): void;
  /** True when the hold was reached, false when CRIU ended before. Never rejects. */
  readonly held: Promise<boolean>;
  /** Tells the hold that somebody is still at work: its time limit begins anew. */
  wait(): void;
  /** Tells the hold to finish. */
  go(): void;
  /** Refuses, now or whenever CRIU gets to the hold; before `begin` CRIU never runs. Idempotent; nothing after `go`. */
  refuse(): void;
  /** Our end of the page server's connection; undefined where CRIU writes the memory itself. */
  readonly pages: Socket | undefined;
  readonly ended: Detached['ended'];
};

/**
 * Starts what becomes CRIU, in a session and a cgroup of its own, waiting for `begin`. Throws Failure 'retry' with nothing left running:
 * the process waits for a line on its stdin, and end of file ends it.
 */
export async function launch(request: {
  readonly procRoot: string;
  readonly criuPath: string;
  readonly arguments: readonly string[];
  readonly cwd: string;
  readonly outputFile: string;
  readonly lockFile: string;
  readonly holdLimitSeconds: number;
  readonly cgroup: Cgroup;
  readonly memoryPath: MemoryPath;
  /** It is one of several that are to stand still before any is dumped. */
  readonly together: boolean;
}): Promise<Launched> {
  const child = startDetached(
    ['/bin/sh', '-c', launchScript, 'cryopod-criu', request.criuPath, ...request.arguments],
    {
      outputFile: request.outputFile,
      cwd: request.cwd,
      environment: {
        CRYOPOD_LOCK_FILE: request.lockFile,
        CRYOPOD_HOLD_LIMIT_SECONDS: String(request.holdLimitSeconds),
        CRYOPOD_TOGETHER: request.together ? 'yes' : '',
      },
      channel: request.memoryPath === 'page-server',
    },
  );
  try {
    return await connect(child, request.procRoot, request.cgroup);
  } catch (error) {
    child.hangUp();
    await child.ended;
    if (error instanceof Failure) throw error;
    const message = `CRIU could not be launched: ${errorText(error)}`;
    throw new Failure('retry', 'CheckpointFailed', message, { cause: error });
  }
}

async function connect(child: Detached, procRoot: string, cgroup: Cgroup): Promise<Launched> {
  const process = await identify(procRoot, child.pid);
  if ((await child.greeting) === undefined || process === undefined) {
    throw new Failure('retry', 'CheckpointFailed', 'the launcher of CRIU ended at once');
  }
  await enterCgroup(cgroup, child.pid);
  const word = openPipe(procRoot, child.pid, 7, constants.O_WRONLY);
  const notices = noticesFrom(openPipe(procRoot, child.pid, 8, constants.O_RDONLY));
  let wordIsOpen = true;
  let begun = false;
  const say = (text: string): void => {
    try {
      writeSync(word, text);
    } catch {
      // CRIU has ended and nobody reads: its exit says all there is to know.
    }
  };
  const answer = (text: string): void => {
    if (!wordIsOpen) return;
    wordIsOpen = false;
    say(text);
    closeSync(word);
  };
  const ended = child.ended.then((end) => {
    if (wordIsOpen) {
      wordIsOpen = false;
      closeSync(word);
    }
    return end;
  });
  return {
    process,
    begin: () => {
      begun = true;
      child.tell('start');
    },
    ...notices,
    proceed: () => {
      if (wordIsOpen) say('dump\n');
    },
    wait: () => {
      if (wordIsOpen) say('wait\n');
    },
    go: () => answer('go\n'),
    refuse: () => {
      if (!begun) child.hangUp();
      answer('no\n');
    },
    pages: child.channel,
    ended,
  };
}

/** Opens the missing side of a pipe of the launcher. A shell that makes files of its here-documents cannot hold: refused before any freeze. */
function openPipe(procRoot: string, pid: number, fd: number, flags: number): number {
  const path = `${procRoot}/${pid}/fd/${fd}`;
  if (!readlinkSync(path).startsWith('pipe:')) {
    throw new Failure('retry', 'CheckpointFailed', `descriptor ${fd} of the launcher is no pipe`);
  }
  return openSync(path, flags | constants.O_NONBLOCK);
}

/** Each resolves true at its notice, false at end of file, which comes at the latest when CRIU and its script have ended. */
function noticesFrom(fd: number): Pick<Launched, 'seized' | 'held'> {
  const socket = new Socket({ fd, readable: true, writable: false });
  const seized = Promise.withResolvers<boolean>();
  const held = Promise.withResolvers<boolean>();
  let text = '';
  socket.on('data', (chunk: Uint8Array) => {
    text += Buffer.from(chunk).toString('latin1');
    if (text.includes('seized\n')) seized.resolve(true);
    if (!text.includes('held\n')) return;
    held.resolve(true);
    socket.destroy();
  });
  const end = (): void => {
    seized.resolve(false);
    held.resolve(false);
  };
  socket.once('error', end);
  socket.once('close', end);
  return { seized: seized.promise, held: held.promise };
}
