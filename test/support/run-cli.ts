import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { runCli } from '../../cli/program.ts';
import type { Terminal } from '../../cli/terminal.ts';
import type { Kube, ServerClock } from '../../runtime/kube-port.ts';

/** What a run of the command line printed and ended with. */
export type CliRun = {
  readonly code: number;
  readonly output: Buffer;
  readonly printed: string;
  readonly complaints: string;
};

const never = new AbortController().signal;

/** The command line within this process, with nothing but what it is given. `kube`: in place of a connection. */
export async function runCliInProcess(
  words: readonly string[],
  given: Partial<Omit<Terminal, 'input' | 'output' | 'errors'>> & {
    readonly input?: Buffer | string;
    readonly kube?: Kube & ServerClock;
    /** The namespace of the context. */
    readonly namespace?: string;
  } = {},
): Promise<CliRun> {
  const { input: said, kube, namespace = '', ...terminal } = given;
  const [input, output, errors] = [new PassThrough(), new PassThrough(), new PassThrough()];
  input.end(said);
  const texts = Promise.all([buffer(output), buffer(errors)]);
  const code = await runCli(
    words,
    {
      ...{ input, output, errors, watched: false, answers: false, columns: () => 80 },
      ...{ environment: {}, now: Date.now, signal: never },
      ...terminal,
    },
    ...(kube === undefined
      ? []
      : [
          async () => Object.assign(kube, { server: 'https://memory', namespace, close: () => {} }),
        ]),
  );
  output.end();
  errors.end();
  const [printed, complaints] = await texts;
  return { code, output: printed, printed: printed.toString(), complaints: complaints.toString() };
}
