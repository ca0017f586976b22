import { execa } from 'execa';

/** Outcome of a command that was allowed to fail. */
export type CommandResult = {
  readonly stdout: string;
  readonly stderr: string;
  /** 128 + signal number when a signal ended it. */
  readonly exitCode: number;
};

/** Options of a command; `input` is text for its standard input, `inputFile` a file instead. */
export type CommandOptions = {
  readonly input?: string;
  readonly inputFile?: string;
  readonly timeoutMs?: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
};

/** Runs a command to its end and returns whatever it did. Throws only when it cannot be started. */
export async function attempt(
  argv: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const [file, ...args] = argv;
  if (file === undefined) throw new Error('no command given');
  const result = await execa(file, args, {
    reject: false,
    stripFinalNewline: false,
    ...(options.inputFile !== undefined
      ? { stdin: { file: options.inputFile } }
      : { input: options.input ?? '' }),
    ...(options.timeoutMs !== undefined ? { timeout: options.timeoutMs } : {}),
    ...(options.environment !== undefined ? { env: options.environment } : {}),
    ...(options.directory !== undefined ? { cwd: options.directory } : {}),
  });
  if (result.exitCode === undefined && result.signal === undefined && !result.timedOut) {
    throw new Error(`cannot run ${file}: ${result.shortMessage ?? 'unknown reason'}`);
  }
  return {
    stdout: result.stdout,
    stderr: result.timedOut ? `${result.stderr}\n(stopped after its time)` : result.stderr,
    exitCode: result.exitCode ?? 137,
  };
}

/** Runs a command that must succeed and returns its output; throws with what it printed. */
export async function run(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await attempt(argv, options);
  if (exitCode !== 0) {
    const said = (stderr.trim() === '' ? stdout : stderr).trim().split('\n').slice(-12).join('\n');
    throw new Error(`${argv.slice(0, 6).join(' ')} ended with ${exitCode}: ${said}`);
  }
  return stdout;
}
