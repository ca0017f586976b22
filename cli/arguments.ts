import { type Command, InvalidArgumentError, Option } from 'commander';
import { timeArgument } from './kube-session.ts';
import { outputOption } from './output.ts';
import { dryRuns } from './request/create-request.ts';

/** `web`, `pod/web`, `pods/web`, `po/web` -> `web`, as kubectl takes them. */
export function podArgument(text: string): string {
  const name = /^(?:(?:pods?|po)\/)?([^/]+)$/.exec(text)?.[1];
  if (name === undefined) throw new InvalidArgumentError('must be pod/NAME.');
  return name;
}

/** An option that may stand there several times: each value is kept, in order. */
export const another = (name: string, names: readonly string[]): readonly string[] => [
  ...names,
  name,
];

/** A whole number between two bounds. */
export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const number = Number(text);
    if (/^[0-9]{1,9}$/.test(text) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(`must be a whole number from ${least} to ${most}.`);
  };

/** A time in whole seconds between two bounds, as specs take it: `600`, `90s`, `1h`. */
export const secondsBetween =
  (least: number, most: number) =>
  (text: string): number => {
    const seconds = text === '0' ? 0 : timeArgument(text) / 1000;
    if (seconds >= least && seconds <= most) return seconds;
    throw new InvalidArgumentError(`must be a time from ${least} s to ${most} s.`);
  };

/** `KEY=VALUE`, may be repeated; a key that stands there twice has its last value. */
export function keyValue(
  text: string,
  known: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('must be KEY=VALUE.');
  return { ...known, [text.slice(0, equals)]: text.slice(equals + 1) };
}

/** The options of commands that make a request: dry run, waiting, output. */
export function addCreateOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--dry-run <how>', 'show what would be created; server: let the cluster check it')
        .choices(dryRuns)
        .default('none'),
    )
    .option('--wait', 'until it has ended, showing progress', false)
    .addOption(timeoutOption('with --wait, how long at most; 0: until its deadline'))
    .addOption(outputOption('table', 'json', 'yaml', 'name'));
}

/** `--timeout`; without one nothing ends before the deadline of the request. */
export const timeoutOption = (description: string): Option =>
  new Option('--timeout <time>', description)
    .argParser(timeArgument)
    .default(timeArgument('0'), '0');

/** What a capture is asked for, and an explanation of one: containers, what becomes of the pod and of its connections. */
export const addCaptureOptions = (command: Command): Command =>
  command
    .option(
      '-c, --container <name>',
      'a container to capture, may be repeated; default: all',
      another,
      [],
    )
    .addOption(
      new Option('--after-capture <what>', 'what becomes of the pod')
        .choices(['Resume', 'Terminate'])
        .default('Resume'),
    )
    .addOption(
      new Option('--tcp <what>', 'what becomes of established connections')
        .choices(['Close', 'Established', 'Refuse'])
        .default('Close'),
    );
