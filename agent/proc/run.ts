import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { execa } from 'execa';

/** How a program that ran to its end ended. `why` is one line for a message, empty when `ok`. */
export type RunResult = {
  readonly ok: boolean;
  /** Undefined when a signal ended it or it could not be started. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly why: string;
};

export type RunOptions = {
  /** Ends the program and everything it started. */
  readonly signal: AbortSignal;
  /** Text for its stdin; without it stdin is /dev/null. */
  readonly stdin?: string;
  readonly cwd?: string;
  /** The whole environment apart from PATH and LC_ALL: nothing of the agent's own leaks into a privileged tool. */
  readonly environment?: Readonly<Record<string, string>>;
  /** A new file (never an existing one, never through a link) that takes stdout instead of the result. */
  readonly stdoutFile?: string;
  /** Descriptors of this process that the program gets as 3, 4, ... */
  readonly inherit?: readonly number[];
};

/** Fixed, because the agent's own PATH may be somebody else's idea. C locale: messages are parsed and shown as they are. */
const baseEnvironment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
} as const;

const outputLimitBytes = 4 * 1024 * 1024;

/** execa hands any descriptor number to the child as it is, but its types know only the standard ones. */
const descriptor = (fd: number): 1 => fd as 1;

/** A new file for output: an existing name or a symlink is refused, so that nothing can be redirected. Owner only. */
function openOutputFile(path: string): number {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  return openSync(path, flags, 0o600);
}

/** Runs a program without a shell and waits for its end. A failed or missing program is a result, never a throw. */
export async function run(argv: readonly string[], options: RunOptions): Promise<RunResult> {
  const [file = '', ...args] = argv;
  if (options.signal.aborted) return failed(`${file}: not started, ${text(options.signal.reason)}`);
  const output = options.stdoutFile === undefined ? 'pipe' : openOutputFile(options.stdoutFile);
  try {
    const result = await execa(file, args, {
      reject: false,
      extendEnv: false,
      env: { ...baseEnvironment, ...options.environment },
      cancelSignal: options.signal,
      killDescendants: true,
      maxBuffer: outputLimitBytes,
      stripFinalNewline: false,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.stdin === undefined ? {} : { input: options.stdin }),
      stdio: [
        options.stdin === undefined ? 'ignore' : 'pipe',
        typeof output === 'number' ? descriptor(output) : output,
        'pipe',
        ...(options.inherit ?? []).map(descriptor),
      ],
    });
    const ok = !result.failed;
    return {
      ok,
      exitCode: result.exitCode,
      signal: result.signal,
      stdout: text(result.stdout),
      stderr: text(result.stderr),
      why: ok ? '' : reasonOf(file, result),
    };
  } finally {
    if (typeof output === 'number') closeSync(output);
  }
}

type Ended = {
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly isCanceled: boolean;
  readonly code?: string | undefined;
  readonly stderr?: unknown;
};

function reasonOf(file: string, result: Ended): string {
  const lastLine = text(result.stderr).trim().split('\n').at(-1) ?? '';
  const said = lastLine === '' ? '' : `: ${lastLine}`;
  if (result.isCanceled) return `${file} was stopped${said}`;
  if (result.code === 'ENOENT') return `${file} is not there`;
  if (result.signal !== undefined) return `${file} was ended by ${result.signal}${said}`;
  if (result.exitCode !== undefined) return `${file} exited with ${result.exitCode}${said}`;
  return `${file} could not be run (${result.code ?? 'no reason given'})${said}`;
}

function failed(why: string): RunResult {
  return { ok: false, exitCode: undefined, signal: undefined, stdout: '', stderr: '', why };
}

/** Whatever a library handed back as output or reason, as text. */
function text(value: unknown): string {
  if (value instanceof Error) return value.message;
  return typeof value === 'string' ? value : value === undefined ? '' : String(value);
}

/** A program in a session of its own that outlives this process. */
export type Detached = {
  readonly pid: number;
  /** The first chunk of its stdout, undefined when it closed stdout or ended without a word. Never rejects. */
  readonly greeting: Promise<string | undefined>;
  /** One line to its stdin, then end of file. */
  tell(line: string): void;
  /** End of file on its stdin without a word. */
  hangUp(): void;
  /** Our end of the socket that it has as descriptor 3, where one was asked for. To be read from at once. */
  readonly channel: Socket | undefined;
  /** Resolves at its end; never rejects. */
  readonly ended: Promise<{
    readonly exitCode: number | undefined;
    readonly signal: string | undefined;
  }>;
};

/**
 * Starts a program that must survive this process: a session of its own, stderr straight into a new file (a pipe through this process would
 * end it with SIGPIPE), not ended when this process ends. Its stdin and stdout die with us: it should greet once on stdout, read one line,
 * and then let go of both. Throws when it cannot start.
 */
export function startDetached(
  argv: readonly string[],
  options: {
    readonly outputFile: string;
    readonly cwd: string;
    readonly environment: Readonly<Record<string, string>>;
    /** Gives it one end of a socket pair, of which nobody else ever has the other. */
    readonly channel: boolean;
  },
): Detached {
  const [file = '', ...args] = argv;
  const output = openOutputFile(options.outputFile);
  try {
    const child = execa(file, args, {
      reject: false,
      detached: true,
      cleanup: false,
      buffer: false,
      extendEnv: false,
      env: { ...baseEnvironment, ...options.environment },
      cwd: options.cwd,
      stdio: ['pipe', 'pipe', descriptor(output), ...(options.channel ? (['pipe'] as const) : [])],
    });
    const { pid, stdin, stdout } = child;
    const channel = child.stdio[3];
    if (pid === undefined) throw new Error(`${file} could not be started`);
    // A program that ended before it was told is seen in `ended`; the broken pipe adds nothing.
    stdin.on('error', () => undefined);
    const greeting = new Promise<string | undefined>((resolve) => {
      stdout.once('data', (chunk: Uint8Array) => resolve(Buffer.from(chunk).toString()));
      stdout.once('close', () => resolve(undefined));
    });
    stdout.resume();
    return {
      pid,
      greeting,
      tell: (line) => stdin.end(`${line}\n`),
      hangUp: () => stdin.end(),
      channel: channel instanceof Socket ? channel : undefined,
      ended: child.then((result) => ({ exitCode: result.exitCode, signal: result.signal })),
    };
  } finally {
    closeSync(output);
  }
}
