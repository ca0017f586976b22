#!/usr/bin/env node
import { runCli } from './program.ts';
import { exitCodes } from './terminal.ts';

const stop = new AbortController();
const interrupted = (signal: NodeJS.Signals): void => {
  // The next one ends the process at once: its default action is back.
  for (const each of ['SIGINT', 'SIGTERM'] as const) process.off(each, interrupted);
  stop.abort(new Error(`interrupted by ${signal}`));
};
for (const each of ['SIGINT', 'SIGTERM'] as const) process.on(each, interrupted);

// `cryopod ... | head` deserves no stack trace; an export into a pipe that closed has failed all the same.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(exitCodes.failed);
});

process.exitCode = await runCli(process.argv.slice(2), {
  input: process.stdin,
  output: process.stdout,
  errors: process.stderr,
  watched: process.stderr.isTTY === true,
  answers: process.stdin.isTTY === true && process.stderr.isTTY === true,
  columns: () => process.stderr.columns ?? 80,
  environment: process.env,
  now: Date.now,
  signal: stop.signal,
});
